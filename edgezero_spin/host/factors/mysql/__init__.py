"""MySQL: connections of components to MySQL and MariaDB servers."""
