"""Tables of settlement, and which issuer's rows a person may see. Their states and kinds stand in `words`."""
