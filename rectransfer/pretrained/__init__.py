"""Pretraining on a mature domain, and what comes out of it."""

from rectransfer.pretrained.apart import not_apart
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.pretrained.every import pretrain_all
from rectransfer.pretrained.in_memory import pretrain
from rectransfer.pretrained.learn import SOURCE
from rectransfer.pretrained.pretrained import Pretrained, load_pretrained

__all__ = [
    "SOURCE",
    "PretrainConfig",
    "Pretrained",
    "load_pretrained",
    "not_apart",
    "pretrain",
    "pretrain_all",
]
