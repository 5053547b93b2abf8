"""How it looks: Textual's style sheet."""

__all__ = ["STYLE"]

STYLE = """
Screen { background: #10141b; color: #d8dee9; layers: base; }
#head { height: 1; background: #1a2130; }
#tiles { height: 1; }
#filter-row { height: 1; display: none; }
#filter-row.open { display: block; }
#filter { border: none; height: 1; padding: 0 1; background: #1a2130; width: 1fr; }
#filter:focus { border: none; background: #24344a; }
#problem { width: auto; max-width: 60%; color: #f2c55c; background: #1a2130; }
#body { height: 1fr; }
#list { width: 1fr; }
#empty { display: none; height: auto; padding: 1 2; color: #8a94a6; }
HostPane { display: none; width: 1fr; padding: 0 1; }
#body.open HostPane { display: block; }
#body.open #list { display: none; }
#body.open.wide #list { display: block; }
#body.open.wide HostPane { border-left: solid #3a4252; }
#help { display: none; padding: 1 2; height: 1fr; }
Screen.help #help { display: block; }
Screen.help #body { display: none; }
HostTable, VerticalScroll { scrollbar-size-vertical: 1; }
HostTable, HostPane { scrollbar-background: #10141b; scrollbar-color: #3a4252; }
#keys { dock: bottom; height: 1; background: #1a2130; }
"""
