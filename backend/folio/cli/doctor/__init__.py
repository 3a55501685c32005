"""`folio doctor`: looks at everything that the service needs, and says what to do."""

from folio.cli.doctor.command import doctor

__all__ = ["doctor"]
