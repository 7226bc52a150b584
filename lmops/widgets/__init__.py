"""The widgets: thin skins over plain controllers, one ``.py``, ``.js`` and ``.css`` each (how: ``_skin.py``)."""
