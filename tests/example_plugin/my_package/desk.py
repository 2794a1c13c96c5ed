from liftbench.plugin_api import Desk, Export

ACME = Desk(
    title="Acme",
    exports=(
        Export(
            what="cases with their entries",
            source="https://acme.example/docs/export",
            signature=("caseNumber", "entries.writtenBy"),
            id="caseNumber",
            messages="entries",
            text="plain|html",
            speaker="writtenBy.kind",
            roles={"contact": "customer", "operator": "agent"},
            time="writtenAt",
            internal={"audience": ("team",)},
            spoken={"kind": ("reply", "question")},
            customer="contact.id",
        ),
    ),
)
