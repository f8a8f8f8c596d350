"""A contract for import-linter: these modules of ours import nothing of ours but those."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


class OnlyContract(Contract):
    """The modules matched by ``importers`` may import, inside the root packages, only those matched by ``allowed``.

    Both are import-linter module expressions (``*`` one name, ``**`` any depth). An expression that matches nothing is no
    error: a room that does not exist yet imports nothing. What comes from outside the root packages is not looked at; a
    ``forbidden`` contract does that.
    """

    type_name = "only"

    importers = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed = fields.SetField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect every import from ``importers`` to a module of ours that is not ``allowed``."""
        ours = {module for module in graph.modules if not graph.is_module_squashed(module)}
        importers = self._matched(graph, self.importers) & ours
        allowed = self._matched(graph, self.allowed)
        broken = [
            (importer, imported, [detail["line_number"] for detail in details])
            for importer in sorted(importers)
            for imported in sorted((graph.find_modules_directly_imported_by(importer) & ours) - allowed)
            for details in [graph.get_import_details(importer=importer, imported=imported)]
        ]
        output.verbose_print(verbose, f"{len(importers)} modules looked at.")
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import that breaks the contract, with where to find it."""
        for importer, imported, lines in check.metadata["broken"]:
            where = ", ".join(f"l.{line}" for line in lines)
            output.print_error(f"- {importer} imports {imported} ({where})", bold=False)

    @staticmethod
    def _matched(graph: ImportGraph, expressions: object) -> set[str]:
        assert isinstance(expressions, set)
        found: set[str] = set()
        for expression in expressions:
            assert isinstance(expression, ModuleExpression)
            if expression.has_wildcard_expression() or expression.expression in graph.modules:
                found |= {module.name for module in module_expressions_to_modules(graph, [expression])}
        return found
