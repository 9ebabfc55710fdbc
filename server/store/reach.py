"""The rows that somebody may see."""

from sqlalchemy import ColumnElement, Table, and_, false, true

from server.domain.callers import ANY, Reach


def within(table: Table, reach: Reach) -> ColumnElement[bool]:
    """The rows that somebody with this reach may see. Those of no gateway are for whom nothing limits."""
    if reach.everything:
        return true()
    merchants = table.c.merchant_id.in_(sorted(reach.merchant_ids)) if reach.merchant_ids else true()
    if ANY in reach.merchant_gateway_ids:
        return and_(table.c.merchant_gateway_id != "", merchants)
    if not reach.merchant_gateway_ids:
        return false()
    return and_(table.c.merchant_gateway_id.in_(sorted(reach.merchant_gateway_ids)), merchants)
