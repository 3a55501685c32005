"""Reasons of pages by code, beside their words.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pages", sa.Column("reason_code", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("pages", "reason_code")
