"""Cedar as a second engine: a policy written in Cedar's language, over the same actions, with the same verdicts.

It needs ``cedarpy``, from ``pip install 'clearance[cedar]'``; so nothing imports this package until it is needed.
"""
