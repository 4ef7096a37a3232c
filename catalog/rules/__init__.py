"""Pure rules of the catalogue: words and typos, packed facet keys, shown prices."""
