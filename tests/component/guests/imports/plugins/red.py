VALUE = "a plugin"
