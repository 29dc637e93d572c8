"""A ResNet-18 for images of 32 x 32 (He et al. 2016), for measurements."""

from typing import Any

from torch import nn


class _Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or n_in != n_out:
            convolution = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(n_out))
        self.act = nn.ReLU()

    def forward(self, x: Any) -> Any:
        """Add what the block finds to what comes in."""
        return self.act(self.body(x) + self.shortcut(x))


class _ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()
        )
        self.layer1 = nn.Sequential(_Block(64, 64, 1), _Block(64, 64, 1))
        self.layer2 = nn.Sequential(_Block(64, 128, 2), _Block(128, 128, 1))
        self.layer3 = nn.Sequential(_Block(128, 256, 2), _Block(256, 256, 1))
        self.layer4 = nn.Sequential(_Block(256, 512, 2), _Block(512, 512, 1))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.output = nn.Linear(512, 10)

    def forward(self, x: Any) -> Any:
        """Return the logits."""
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.output(self.pool(x))


def resnet18() -> nn.Module:
    """Return a network with random weights."""
    return _ResNet()
