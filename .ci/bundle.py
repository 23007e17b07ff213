"""Checks two bundles made for Maven Central from the same sources.

Both must have the same files with the same bytes, but for signatures, and for each artifact what Central
asks for: a complete pom, jars of classes, sources and Javadoc, a signature and checksums of each file.

    bundle.py FIRST SECOND
"""

import io
import json
import sys
import xml.etree.ElementTree as ElementTree
import zipfile

ARTIFACTS = {"mullion-parent": "pom", "framing-codec": "jar", "rpc-support": "jar", "messaging": "jar",
             "messaging-grpc": "jar", "messaging-tck": "jar"}
# The others must not need it, and their bills of materials show that.
NEED_NETTY = ("framing-codec", "rpc-support", "messaging-grpc")
POM = "{http://maven.apache.org/POM/4.0.0}"
REQUIRED = ("name", "description", "url", "licenses/license/name", "developers/developer/name",
            "scm/url", "scm/connection")
OF_THE_BUILD = ("parent", "modules", "build", "profiles", "properties", "repositories",
                "pluginRepositories")
OUR_FILES = ("META-INF/", "dev/", "module-info.class")

problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)


def content(path):
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist() if not name.endswith("/")}


def is_signature(name):
    return ".asc" in name


def check_same(first, second):
    check(first.keys() == second.keys(), f"only in one: {sorted(first.keys() ^ second.keys())}")
    for name in first.keys() & second.keys():
        check(is_signature(name) or first[name] == second[name], f"{name}: two builds differ")


def check_pom(name, data):
    pom = ElementTree.fromstring(data)
    for path in REQUIRED:
        element = pom.find("/".join(POM + step for step in path.split("/")))
        check(element is not None and (element.text or "").strip(), f"{name}: no {path}")
    for element in OF_THE_BUILD:
        check(pom.find(POM + element) is None, f"{name}: has {element}")
    for scope in pom.iter(POM + "scope"):
        check(scope.text in ("compile", "runtime", "import"), f"{name}: scope {scope.text}")
    for value in pom.iter():
        check("${" not in (value.text or ""), f"{name}: unresolved {value.text}")
        check("-SNAPSHOT" not in (value.text or ""), f"{name}: depends on {value.text}")


def check_jar(name, data):
    with zipfile.ZipFile(io.BytesIO(data)) as jar:
        names = jar.namelist()
        for each in ("META-INF/LICENSE", "META-INF/NOTICE"):
            check(each in names, f"{name}: no {each}")
        if name.endswith(("-sources.jar", "-javadoc.jar")):
            return
        check("module-info.class" in names, f"{name}: no module-info.class")
        # A file of ours at the root, such as a hello.proto, collides with one of a user's.
        for each in names:
            check(each.startswith(OUR_FILES), f"{name}: {each} is outside of our packages")
        for each in names:
            if each.endswith("/pom.xml"):
                check_pom(f"{name}!/{each}", jar.read(each))


def check_artifact(files, artifact, packaging):
    own = {name.rsplit("/", 1)[1]: data for name, data in files.items() if f"/{artifact}/" in name}
    version = next(name.split("/")[-2] for name in files if f"/{artifact}/" in name)
    endings = [".pom"]
    if packaging == "jar":
        endings += [".jar", "-sources.jar", "-javadoc.jar", "-cyclonedx.json", "-cyclonedx.xml"]
    for ending in endings:
        name = f"{artifact}-{version}{ending}"
        check(name in own, f"no {name}")
        for suffix in (".asc", ".md5", ".sha1"):
            check(name + suffix in own, f"no {name}{suffix}")
    for name, data in own.items():
        if name.endswith(".pom"):
            check_pom(name, data)
        elif name.endswith(".jar"):
            check_jar(name, data)
        elif name.endswith("-cyclonedx.json"):
            listed = {each["name"] for each in json.loads(data).get("components", ())}
            check(("netty-buffer" in listed) == (artifact in NEED_NETTY), f"{name}: lists {listed}")


def main():
    first, second = map(content, sys.argv[1:])
    check_same(first, second)
    published = {name.split("/")[2] for name in first}
    check(published == ARTIFACTS.keys(), f"published: {sorted(published)}")
    for artifact in published & ARTIFACTS.keys():
        check_artifact(first, artifact, ARTIFACTS[artifact])
    for each in problems:
        print(each)
    if not problems:
        print(f"{len(first)} files of {len(published)} artifacts are complete, and the same twice")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
