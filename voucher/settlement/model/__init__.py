"""Tables of settlement and the states they hold; the words for them in French; which issuer's rows a person may see."""
