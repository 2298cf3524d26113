"""Where a provider's class is, and what must be installed for it."""

from __future__ import annotations

from dataclasses import dataclass

from providers import packages
from voicebackend._importer import load
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import Engine


@dataclass(frozen=True, slots=True)
class Target:
    """A promise to import a class."""

    where: str | type[Engine]
    """``module:Class``, or the class itself."""
    packages: tuple[str, ...] = ()
    """Optional packages that it loads when it is opened."""
    extra: str = ""
    """The extra of this project that installs them."""

    def require(self, op: str) -> None:
        """Raise if a package is not installed; imports nothing.

        Raises:
            InvalidConfig: names the first such package and the line that installs it.

        """
        for package in self.packages:
            if packages.folder(package) is None:
                raise packages.missing(package, self.extra, op)

    def load(self, op: str) -> type[Engine]:
        """Return the class, imported now if it was not yet.

        Raises:
            InvalidConfig: there is no such class, or its module needs a package that cannot be imported.

        """
        try:
            found = load(self.where, field=op)
        except ImportError as error:
            line = packages.install_line(self.extra) if self.extra else f"pip install {error.name}"
            message = f"{error.name} cannot be imported: {line}"
            raise InvalidConfig(op, message, details={"install": line}) from error
        if not (isinstance(found, type) and issubclass(found, Engine)):
            raise InvalidConfig(op, f"{self.where} is no provider or engine class")
        return found
