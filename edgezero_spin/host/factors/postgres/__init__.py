"""PostgreSQL: connections of components to PostgreSQL servers."""
