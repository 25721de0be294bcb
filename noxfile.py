"""Sessions of the project; ``nox`` runs the default ones, ``nox -l`` lists all."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "imports", "tests"]
CODE = ("src", "plugins", "rules", "fixtures", "tests", "benchmarks", "noxfile.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Style: ruff's rules and format."""
    session.install("ruff>=0.11")
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """Strict mypy over the suite and its plugins."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """Layers: nothing imports upwards, plugins see the façade only."""
    session.install("-e", ".[dev]")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests; those that compare with external tools or real evidence skip with a reason where these are missing."""
    session.install("-e", ".[dev]")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def golden(session: nox.Session) -> None:
    """Rewrite the plugins' golden files; read the diff before you commit it."""
    session.install("-e", ".[dev]")
    session.run("pytest", "tests/plugins", *session.posargs, env={"TRIAGE_UPDATE_GOLDEN": "1"})


@nox.session(default=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into an empty environment and run it."""
    session.install("build")
    out = session.create_tmp()
    session.run("python", "-m", "build", "--wheel", "--outdir", out)
    session.run("python", "-m", "pip", "install", "--find-links", out, "forensic-triage")
    session.run("triage", "plugins")
