"""The rows that somebody may see."""

from sqlalchemy import ColumnElement, Table, and_, false, or_, true

from server.domain.callers import ANY, Reach


def within(table: Table, reach: Reach) -> ColumnElement[bool]:
    """The rows that somebody with this reach may see. Those of no gateway are for whom nothing limits, unless they are
    an issuer's."""
    of_gateways = _within_gateways(table, reach)
    if "issuer_id" not in table.c:
        return of_gateways
    return or_(and_(table.c.issuer_id == "", of_gateways), and_(table.c.issuer_id != "", within_issuers(table, reach)))


def within_issuers(table: Table, reach: Reach) -> ColumnElement[bool]:
    """The rows of issuers that somebody with this reach may see."""
    if ANY in reach.issuer_ids:
        return true()
    return table.c.issuer_id.in_(sorted(reach.issuer_ids)) if reach.issuer_ids else false()


def _within_gateways(table: Table, reach: Reach) -> ColumnElement[bool]:
    if reach.everything:
        return true()
    merchants = table.c.merchant_id.in_(sorted(reach.merchant_ids)) if reach.merchant_ids else true()
    if ANY in reach.merchant_gateway_ids:
        return and_(table.c.merchant_gateway_id != "", merchants)
    if not reach.merchant_gateway_ids:
        return false()
    return and_(table.c.merchant_gateway_id.in_(sorted(reach.merchant_gateway_ids)), merchants)
