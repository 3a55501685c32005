"""A task's trace, and what the words of its error name, for programs.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("error_values", JSON, nullable=True))
    op.add_column("tasks", sa.Column("trace", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("tasks", "trace")
    op.drop_column("tasks", "error_values")
