"""From a model reference or an adapter folder to local files with known hashes."""
