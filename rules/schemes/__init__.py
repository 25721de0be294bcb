"""Category schemes as data; a package so that a wheel carries them."""
