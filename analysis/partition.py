"""From rows of symbols to labels: the kernel is `ibtools.partition`, for recorders need it too."""

from ibtools.partition import partition as partition
from ibtools.partition import partition_block as partition_block
