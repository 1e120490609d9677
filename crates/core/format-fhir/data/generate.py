"""Makes r4.txt and r5.txt from StructureDefinitions (JSON): generate.py R4_FOLDER R5_FOLDER.

The folders are `package` of hl7.fhir.r4.core 4.0.1 and hl7.fhir.r5.core 5.0.0 (CC0-1.0). Instead of the first, a folder with
profiles-types.xml and profiles-resources.xml of FHIR 4.0.1 does.
"""
import glob, json, os, sys
import xml.etree.ElementTree as ET

FHIR = "{http://hl7.org/fhir}"
ABSTRACT = {"Element", "BackboneElement", "Base", "DataType", "BackboneType", "PrimitiveType"}
HEADS = [
    ("D", ["id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension"]),
    ("R", ["id", "meta", "implicitRules", "language"]),
    ("B", ["id", "extension", "modifierExtension"]),
    ("E", ["id", "extension"]),
]


def from_xml(node):
    """The members of a StructureDefinition that are used, as in its JSON."""
    value = lambda at, name: (at.find(FHIR + name).get("value") if at.find(FHIR + name) is not None else None)
    elements = []
    for el in node.find(FHIR + "snapshot").findall(FHIR + "element"):
        types = [{"code": value(t, "code")} for t in el.findall(FHIR + "type")]
        one = {"path": value(el, "path"), "max": value(el, "max"), "type": types}
        if value(el, "contentReference"):
            one["contentReference"] = value(el, "contentReference")
        elements.append(one)
    top = {name: value(node, name) for name in ("type", "kind", "derivation")}
    return {**top, "abstract": value(node, "abstract") == "true", "snapshot": {"element": elements}}


def definitions(folder):
    for path in sorted(glob.glob(folder + "/StructureDefinition-*.json")):
        yield json.load(open(path))
    for name in ("profiles-types.xml", "profiles-resources.xml"):
        if os.path.exists(f"{folder}/{name}"):
            for _, node in ET.iterparse(f"{folder}/{name}"):
                if node.tag == FHIR + "StructureDefinition":
                    yield from_xml(node)


def lines(folder):
    by_parent, resources, primitives, any_type = {}, set(), [], None
    for sd in definitions(folder):
        name, kind = sd["type"], sd["kind"]
        if sd.get("derivation") == "constraint" or "/" in name or kind == "logical" or name in ABSTRACT:
            continue
        if kind == "primitive-type":
            primitives.append(name)
            continue
        if kind == "resource" and not sd["abstract"]:
            resources.add(name)
        for el in sd["snapshot"]["element"]:
            if "." not in el["path"]:
                continue
            parent, leaf = el["path"].rsplit(".", 1)
            types = []
            for t in el.get("type", []):
                code = "string" if t["code"].startswith("http:") else t["code"]
                if code not in types:
                    types.append(code)
            if "contentReference" in el:
                types = [el["contentReference"].split("#")[1]]
            if types in (["BackboneElement"], ["Element"]):
                types = [""]
            by_parent.setdefault(parent, []).append((leaf, el["max"], "|".join(types)))
    out = {}
    for parent, els in by_parent.items():
        if parent in ("Resource", "DomainResource", "CanonicalResource", "MetadataResource"):
            continue
        names = [leaf for leaf, _, _ in els]
        head = [(h, n) for h, n in HEADS if names[: len(n)] == n and (h in "DR") == (parent in resources)][0]
        words = []
        for leaf, most, types in els[len(head[1]) :]:
            if leaf.endswith("[x]"):
                if types.count("|") > 30:
                    any_type, types = types, "*"
                words.append(f"{leaf[:-3]}[{types}")
            else:
                words.append(leaf + (":" if most in "01" else "*") + types)
        out[parent] = " ".join([parent, head[0], *words])
    out["*"] = "* " + any_type.replace("|", " ")
    out["!"] = "! " + " ".join(sorted(primitives))
    return out


r4, r5 = lines(sys.argv[1]), lines(sys.argv[2])
here = os.path.dirname(os.path.abspath(__file__))
for name, rows in (("r4", r4), ("r5", {k: v for k, v in r5.items() if r4.get(k) != v})):
    with open(f"{here}/{name}.txt", "w") as file:
        file.writelines(rows[key] + "\n" for key in sorted(rows))
