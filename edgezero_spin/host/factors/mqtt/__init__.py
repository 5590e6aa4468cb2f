"""MQTT: components publish messages to brokers."""
