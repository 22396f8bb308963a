"""One's own parts: FILE.py:NAME,key=value; an object that was registered; or what an installed package offers.

All kinds of parts come through this door. A file is run only where the caller names it: in an argument of the call
that is under way, or by `allow`. A model's file, or a run's settings, name what they need and never make it run.
"""

import ast
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from cuello.core.errors import AT_COMMAND_LINE, CuelloError, closest

LONGEST = 1000

BUILT_IN: dict[str, set[str]] = {}
"""Names of Cuello's own parts by kind, as far as their tables are loaded."""
GROUPS = {
    "network": "networks", "loss": "losses", "metric": "metrics", "noise": "noises", "baseline": "baselines",
    "data set": "datasets", "optimiser": "optimizers", "schedule": "schedules",
}  # fmt: skip
"""Kinds of parts that may be one's own, as messages call them, and the entry points of packages: ``cuello.NAME``."""
PARTS = {
    "model": "network", "loss": "loss", "noise": "noise", "data": "data set", "target": "data set",
    "optimizer": "optimiser", "schedule": "schedule",
}  # fmt: skip
"""Settings of a training that name a part, and the kind of it."""
STEPPED = ("model", "loss", "optimizer", "noise")
"""Those whose parts do the work of a step."""
ALIASES = {"data": "data set", "dataset": "data set", "optimizer": "optimiser", "degradation": "noise"}


@dataclass(frozen=True)
class Part:
    """Something of one's own: how it is written, what it is, and what it is called with.

    path: its file, or None. checksum: the file's SHA-256, or "".
    """

    text: str
    thing: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    checksum: str = ""

    @property
    def name(self) -> str:
        """Its own name, without file and arguments."""
        return plain_name(self.text)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        lines = (inspect.getdoc(self.thing) or "one's own").strip().splitlines()
        return lines[0]

    def stated(self, name: str, default: Any) -> Any:
        """Return what it states in an attribute."""
        return getattr(self.thing, name, default)

    @property
    def function(self) -> Callable[..., Any]:
        """What is called with values: of a class, what it makes with the arguments; a function, with them."""
        if inspect.isclass(self.thing):
            return self.made()
        self.check_arguments()
        return partial(self.thing, **self.arguments) if self.arguments else self.thing

    def check_arguments(self) -> None:
        """Raise CuelloError where an argument is none that it takes."""
        taken = parameters_of(self.thing)
        anything = any(one.kind is one.VAR_KEYWORD for one in taken.values())
        for name in self.arguments:
            if name not in taken and not anything:
                names = [known for known in taken if known not in ("self", "args")]
                raise CuelloError(
                    f"{self.text}: {self.name} takes no {name!r}.{closest(name, names)} It takes: "
                    f"{', '.join(names) or 'nothing'}."
                )

    def made(self, **offered: Any) -> Any:
        """Call it with its arguments, and with those of ``offered`` that it takes; CuelloError where it fails."""
        self.check_arguments()
        taken = parameters_of(self.thing)
        try:
            return self.thing(**{name: one for name, one in offered.items() if name in taken} | dict(self.arguments))
        except CuelloError:
            raise
        except Exception as error:  # somebody else's code may raise anything
            raise CuelloError(f"{self.text} could not be made: {type(error).__name__}: {error}.") from error


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Let what a part raises in the block become a CuelloError that says what failed."""
    try:
        yield
    except CuelloError:
        raise
    except Exception as error:  # somebody else's code may raise anything
        raise CuelloError(f"{what} failed: {type(error).__name__}: {error}.") from error


def places_of(function: Any) -> int | None:
    """Count the values without a default that a function is called with by place; None for any number."""
    taken = parameters_of(function).values()
    if any(one.kind is one.VAR_POSITIONAL for one in taken):
        return None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in by_place and one.default is one.empty for one in taken)


def parameters_of(thing: Any) -> Mapping[str, inspect.Parameter]:
    """Return what something is called with; nothing where Python cannot tell."""
    try:
        return inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return {}


# How it is written


def is_reference(text: object) -> bool:
    """Tell whether a text names something in a file, FILE.py:NAME."""
    return isinstance(text, str) and ".py:" in text


def is_own(kind: str, text: str) -> bool:
    """Tell whether a text names something of one's own: in a file, registered, or of an installed package."""
    if text in BUILT_IN.get(kind, ()):
        return False
    return is_reference(text) or (kind, head_of(text)) in REGISTERED or head_of(text) in installed(kind)


def divided(text: str, mark: str = ",") -> list[str]:
    """Divide a text at a mark that is in no brackets and no quotes.

    >>> divided("a=(1,2),b='x,y',c=3")
    ['a=(1,2)', "b='x,y'", 'c=3']
    """
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == mark and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    return parts


def head_of(text: str) -> str:
    """Return a text without its arguments, "my.py:Net" of "my.py:Net,width=3"."""
    return text.partition(",")[0].strip()


def plain_name(text: str) -> str:
    """Return the name alone: "Net" of "folder/my.py:Net,width=3".

    >>> plain_name("folder/my.py:Net,width=3"), plain_name("unet-s")
    ('Net', 'unet-s')
    """
    return head_of(text).rpartition(":")[2] if is_reference(text) else head_of(text)


def short(text: str) -> str:
    """Write a part without its file, "Net,width=3", for tables.

    >>> short("folder/my.py:Net,width=3")
    'Net,width=3'
    """
    return ",".join([plain_name(text), *divided(text)[1:]])


def arguments_of(text: str) -> dict[str, Any]:
    """Read what follows the name, key=value with commas. A value is a Python literal, or else a text; none is run.

    >>> arguments_of("my.py:Net,width=3,act=relu,sizes=(8, 16)")
    {'width': 3, 'act': 'relu', 'sizes': (8, 16)}
    """
    if len(text) > LONGEST:
        raise CuelloError(f"{text[:20]!r}… has {len(text)} letters, needed {LONGEST} at most.")
    found: dict[str, Any] = {}
    for item in divided(text)[1:]:
        key, equals, value = (piece.strip() for piece in item.partition("="))
        if not equals or not key.isidentifier():
            raise CuelloError(
                f"{text}: {item.strip()!r} is not of the form key=value, as in my.py:MyNet,width=16,depth=3."
            )
        if key in found:
            raise CuelloError(f"{text}: {key} is given twice.")
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            found[key] = value
    return found


def split_reference(text: str) -> tuple[Path, str]:
    """Split FILE.py:NAME, arguments left out; CuelloError where the file does not exist."""
    file, _, name = head_of(text).rpartition(":")
    path = Path(file).expanduser()
    if is_reference(file) and not path.is_file():
        raise CuelloError(f"{text}: values follow a comma, with their names, as in {file},amount={name}.")
    if not path.is_file():
        raise CuelloError(f"{text}: there is no file {path}. Write FILE.py:CLASS, as in my_net.py:MyNet.")
    return path, name


def source_checksum(text: str) -> str:
    """Return the SHA-256 of the file that a reference names."""
    return hashlib.sha256(split_reference(text)[0].read_bytes()).hexdigest()


# What may run

ALLOWED: set[Path | str] = set()
NAMED: ContextVar[frozenset[Path | str]] = ContextVar("NAMED", default=frozenset())
"""Files, and names of packages' parts, that may run in this process, and those that the call under way names."""
FOUND: ContextVar[dict[tuple[str, str], "Part | None"] | None] = ContextVar("FOUND", default=None)
"""What the call under way has found, which stays as it is while a training lasts, whatever becomes of the file."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


def allow(*files: str | Path) -> None:
    """Let files of your own code run from now on, for models and runs that name something in them.

    files: FILE.py, FILE.py:NAME, or the name of a part that an installed package brings. Raises CuelloError where one
    does not exist.
    """
    for one in files:
        path = file_of(one)
        if path.is_file():
            ALLOWED.add(path)
        elif any(head_of(str(one)) in installed(kind) for kind in GROUPS):
            ALLOWED.add(head_of(str(one)))
        else:
            raise CuelloError(f"there is no file {path}, needed FILE.py with your own code.")


def file_of(text: str | Path) -> Path:
    """Return the file of FILE.py or FILE.py:NAME, its whole path."""
    file = head_of(str(text)).rpartition(":")[0] if is_reference(str(text)) else str(text)
    return Path(file).expanduser().resolve()


def files_in(value: Any) -> Iterator[Path | str]:
    """Yield the files of code that an argument names, and what may be names of packages' parts."""
    if isinstance(value, str) and len(value) <= LONGEST:
        for part in divided(value, "+"):
            yield file_of(part) if is_reference(part) else head_of(part).partition(":")[0]
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from files_in(one)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], str | Mapping | tuple):
        for one in value:
            yield from files_in(one)


@contextmanager
def naming(*values: Any) -> Iterator[None]:
    """Let the files run that these values name, for the time of the block."""
    before = NAMED.set(NAMED.get() | frozenset(files_in(values)))
    known = FOUND.set({} if (found := FOUND.get()) is None else found)
    try:
        yield
    finally:
        NAMED.reset(before)
        FOUND.reset(known)


def name_also(*values: Any) -> None:
    """Let the files run that these values name too, until the call under way ends, which ``names_own`` decorates."""
    NAMED.set(NAMED.get() | frozenset(files_in(values)))


def names_own(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let the files run that the arguments of a call name, until it ends."""

    @wraps(function)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with naming(args, kwargs):
            return function(*args, **kwargs)

    return called


def found_file(text: str) -> Path | None:
    """Return the file that may run for a reference, None where the caller named none.

    A file of the same name counts where the one that is named is not at its place: it may have been moved.
    """
    wanted, named = file_of(text), ALLOWED | NAMED.get()
    if wanted in named:
        return wanted
    moved = sorted(path for path in named if isinstance(path, Path) and path.name == wanted.name)
    return moved[0] if moved and not wanted.is_file() else None


def may_run(kind: str, text: str) -> bool:
    """Tell whether the caller named the code of a part, or registered it."""
    if is_reference(text):
        return found_file(text) is not None
    return (kind, head_of(text)) in REGISTERED or head_of(text) in ALLOWED | NAMED.get()


def allowed_path(text: str) -> Path:
    """Return the file that may run for a reference; CuelloError where the caller named none."""
    found = found_file(text)
    if found is not None:
        return found
    file = head_of(text).rpartition(":")[0]
    raise CuelloError(f"{unnamed(text, file)}, with the path where you have that file.")


def unnamed(text: str, what: str) -> str:
    """Say that code is not run because the caller did not name it, and how to."""
    remedy = f"add --own {what}" if AT_COMMAND_LINE.get() else f"call cuello.allow({what!r}) first"
    return f"{text} is somebody's own code, and code is run only if you name it: {remedy}"


def is_known_here(settings: Mapping[str, Any]) -> bool:
    """Tell whether a training takes something that was registered in this process, and another one would not know."""
    return any(
        not is_reference(text) and (PARTS[setting], head_of(text)) in REGISTERED for setting, text in parts_in(settings)
    )


def own_kind(settings: Mapping[str, Any]) -> str | None:
    """Say which part of a training's steps is somebody's own code, as "network", the first one; None where none is."""
    stepped = {name: settings.get(name) for name in STEPPED}
    return next((PARTS[setting] for setting, text in parts_in(stepped) if is_own(PARTS[setting], text)), None)


def parts_in(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the settings that name parts, each with a part: of a noise, its parts, without the values of a registered
    one.

    >>> list(parts_in({"model": "my.py:Net,width=3", "noise": "fog:0.2+my.py:rain,amount=1", "epochs": 3}))
    [('model', 'my.py:Net,width=3'), ('noise', 'fog'), ('noise', 'my.py:rain,amount=1')]
    """
    for setting in PARTS:
        value = settings.get(setting)
        if isinstance(value, str) and setting == "noise":
            for part in divided(value, "+"):
                yield setting, part if is_reference(part) else part.partition(":")[0]
        elif isinstance(value, str):
            yield setting, value


def check_named(settings: Mapping[str, Any]) -> None:
    """Raise CuelloError for the first part of a run that is somebody's own code, and was not named by the caller."""
    for setting, text in parts_in(settings):
        if not is_own(PARTS[setting], text) or may_run(PARTS[setting], text):
            continue
        if setting == "model":
            raise CuelloError(
                f"this run's network is somebody's own code ({text}), and code is run only if you name it: "
                f"add --network={text} with the path where you have that file."
            )
        if is_reference(text):
            allowed_path(text)


# What it is

REGISTERED: dict[tuple[str, str], Any] = {}
"""Objects by kind and name: those that were registered, and those of files that Python has loaded already."""
MODULES: dict[Path, tuple[str, ModuleType]] = {}
"""Files that were run, with the checksum of their text."""
RUNNING: list[Path] = []


def register(kind: str, name: str, thing: Any) -> None:
    """Let a part of your own be called by a name, as Cuello's are.

    kind: "network", "loss", "metric", "noise", "baseline", "data", "optimizer" or "schedule". name: letters, digits
    and hyphens; one that you registered before is replaced. thing: what FILE.py:NAME would name; see
    docs/extending.md. Raises CuelloError for a kind that does not exist, or a name that Cuello has itself.
    """
    known = kind_of(kind)
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
        raise CuelloError(f"register: got the name {name!r}, needed letters, digits and hyphens.")
    if name in ("auto", *BUILT_IN.get(known, ())):
        raise CuelloError(f"register: there is a {known} {name!r} already; choose another name.")
    if not callable(thing) and known != "data set":
        raise CuelloError(f"register: got {type(thing).__name__} for {name!r}, needed a class or a function.")
    REGISTERED[known, name] = thing


def kind_of(kind: str) -> str:
    """Return how messages call a kind of parts; CuelloError where there is no such kind."""
    known = ALIASES.get(kind, kind)
    if known not in GROUPS:
        raise CuelloError(f"there is no kind of part {kind!r}.{closest(kind, GROUPS)} Known: {', '.join(GROUPS)}.")
    return known


def registered(kind: str) -> list[str]:
    """List the names that were registered for a kind."""
    return [name for known, name in REGISTERED if known == kind and not is_reference(name)]


@cache
def installed(kind: str) -> dict[str, Any]:
    """List what installed packages offer of a kind, by name; nothing of it is loaded."""
    from importlib.metadata import entry_points  # some milliseconds, which `cuello --help` does not need

    return {one.name: one for one in entry_points(group=f"cuello.{GROUPS[kind]}")} if kind in GROUPS else {}


def find(kind: str, text: str) -> Part | None:
    """Return the part of one's own that a text names, None where it names none.

    Raises CuelloError where its file may not run, fails, or has nothing of that name.
    """
    known = FOUND.get()
    if known is None:
        return searched(kind, text)
    if (kind, text) not in known:
        known[kind, text] = searched(kind, text)
    return known[kind, text]


def searched(kind: str, text: str) -> Part | None:
    """Do the work of ``find``."""
    head = head_of(text)
    if is_reference(text):
        path = allowed_path(text)
        if not path.is_file():
            split_reference(text)
        name = head.rpartition(":")[2]
        loaded = REGISTERED.get((kind, f"{path}:{name}"))
        thing = thing_of(path, name) if loaded is None else loaded
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Part(text, thing, arguments_of(text), path=path, checksum=digest)
    if (kind, head) in REGISTERED:
        return Part(text, REGISTERED[kind, head], arguments_of(text))
    if head in (offered := installed(kind)):
        if not may_run(kind, text):
            raise CuelloError(f"{unnamed(text, head)}.")
        try:
            return Part(text, offered[head].load(), arguments_of(text))
        except Exception as error:  # somebody else's package may raise anything
            raise CuelloError(
                f"the {kind} {head!r} of the package {offered[head].value.partition(':')[0]} could not be loaded: "
                f"{type(error).__name__}: {error}."
            ) from error
    return None


def thing_of(path: Path, name: str) -> Any:
    """Run a file, once as long as its text is the same, and return what it calls ``name``."""
    module = loaded_file(path)
    if not hasattr(module, name):
        names = [one for one, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
        raise CuelloError(f"{path} has no {name!r}.{closest(name, names)} It has: {', '.join(names) or 'nothing'}.")
    return getattr(module, name)


def loaded_file(path: Path) -> ModuleType:
    """Run a file as a module, with its folder among those that it can import from; CuelloError where it fails."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path in MODULES and MODULES[path][0] == digest:
        return MODULES[path][1]
    spec = importlib.util.spec_from_file_location(f"cuello_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CuelloError(f"{path} cannot be imported; needed a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses and pickles look for it
    sys.path.insert(0, str(path.parent))
    RUNNING.append(path)
    try:
        spec.loader.exec_module(module)
    except CuelloError:
        raise
    except SystemExit as error:
        raise CuelloError(
            f"{path} ends the program when it is imported (SystemExit: {error}). Put what it does under "
            '`if __name__ == "__main__":`.'
        ) from error
    except Exception as error:
        raise CuelloError(f"{path} failed while it was imported: {type(error).__name__}: {error}.") from error
    finally:
        RUNNING.pop()
        sys.path.remove(str(path.parent))
    MODULES[path] = digest, module
    return module


def check_not_loading() -> None:
    """Raise CuelloError where a file of one's own trains while it is loaded: it would do so again and again."""
    if RUNNING:
        raise CuelloError(
            f"{RUNNING[-1]} was loaded for what it defines, and starts a training at once. Put what it does under "
            '`if __name__ == "__main__":`, or what it defines in a file of its own.'
        )


def text_of(kind: str, value: Any) -> Any:
    """Write a part that Python code gives as an object: FILE.py:NAME where that can be found again, or its name.

    Texts, paths and numbers stay as they are. A `functools.partial` is written with its keywords.
    """
    if value is None or isinstance(value, str | Path | int | float):
        return value
    thing, keywords = (value.func, value.keywords) if isinstance(value, partial) else (value, {})
    name = getattr(thing, "__name__", type(thing).__name__).replace("<lambda>", f"lambda-{len(REGISTERED) + 1}")
    if isinstance(value, partial) and value.args:
        raise CuelloError(f"{name}: got arguments without names, {value.args}; needed partial({name}, name=value).")
    for key, one in keywords.items():
        if not (is_literal(one) and len(repr(one)) < LONGEST):
            raise CuelloError(f"{name}: {key} is {type(one).__name__}, needed a number, a text, or a tuple of them.")
    file = source_file(thing, name)
    text = name
    if file is not None:
        text = f"{file}:{name}"
        REGISTERED[kind_of(kind), f"{file.resolve()}:{name}"] = thing
        ALLOWED.add(file.resolve())
    else:
        register(kind, name, thing)
    arguments = ",".join(f"{key}={one!r}" for key, one in keywords.items())
    mark = ":" if kind_of(kind) == "noise" and file is None else ","
    return f"{text}{mark}{arguments}" if arguments else text


def text_like(given: Any, known: str) -> str:
    """Write a part that is given for one that is known, with the other's arguments where it comes without any."""
    text = str(text_of("network", given))
    return text if len(divided(text)) > 1 else ",".join([text, *divided(known)[1:]])


def texts_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with every part that is given as an object written as a text; see ``text_of``."""
    return {name: text_of(PARTS[name], value) if name in PARTS else value for name, value in settings.items()}


def choices_as_texts(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a search varies with every part among the choices written as a text."""
    return {
        name: [text_of(PARTS[name], one) for one in value]
        if name in PARTS and isinstance(value, list | tuple)
        else value
        for name, value in space.items()
    }


def is_literal(value: Any) -> bool:
    """Tell whether Python's own notation of a value is read back as the same."""
    try:
        return ast.literal_eval(repr(value)) == value
    except (ValueError, SyntaxError):
        return False


def source_file(thing: Any, name: str) -> Path | None:
    """Return the file that defines something by this name, from here where it lies below; None where none does."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or file is None or not file.endswith(".py") or getattr(module, name, None) is not thing:
        return None
    path = Path(file).resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
