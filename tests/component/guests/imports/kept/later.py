GREETING = "from a plain module"
