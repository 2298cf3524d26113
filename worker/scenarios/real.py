"""stub"""


class RealCast:
    def __init__(self, folder):
        pass
