"""The paper's experiments: recorded, analysed, drawn and put into tables, one or all of them."""

from ibtools.reproduction.experiments import REPRODUCTIONS, Reproduction, Run, Scale, settings_of
from ibtools.reproduction.reproducing import reproduce

__all__ = ["REPRODUCTIONS", "Reproduction", "Run", "Scale", "reproduce", "settings_of"]
