"""perfplan: capacity plans with tail latency, uncertainty, time and money, from one file."""
