"""perfplan: capacity plans with tail latency, uncertainty, time and money, from one file."""

VERSION = "0.2.0"
