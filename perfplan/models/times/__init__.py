"""Laws of times over many worlds: their transforms, percentiles of whole paths, and what slow requests are made of."""
