"""The widgets: views over plain controllers, a folder a noun (how: ``kit/live.py``)."""
