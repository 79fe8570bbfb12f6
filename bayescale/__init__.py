"""bayescale: from scaling-law theory to priors, from training runs to decisions."""
