"""Sessions, connections and pools for the factors of database servers."""
