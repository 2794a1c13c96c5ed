from liftbench.plugin_api import hookimpl


@hookimpl
def bench_register(registry):
    registry.metric("length-match", target="my_package.metric:LengthMatch", summary="shorter length by the longer")
    registry.control("last-turn", target="my_package.control:LastTurn", summary="the last turn")
    registry.dataset("calls", target="my_package.dataset:Calls", summary="our calls, a tab-separated file a split")
    registry.desk("acme", target="my_package.desk:ACME", summary="cases of the Acme desk")
    registry.launcher("in-turn", target="my_package.launcher:InTurn", summary="one worker after the other")
    registry.trainer(
        "plain-lora",
        target="my_package.trainer:PlainLora",
        options="my_package.options:PlainLoraOptions",
        requires=("torch", "transformers", "peft"),
        summary="LoRA in float32, one pass",
    )
