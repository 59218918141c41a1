"""Static files under names that change with their content."""

from django.contrib.staticfiles import apps
from whitenoise.storage import CompressedManifestStaticFilesStorage


def _without_source_maps(pattern: object) -> bool:
    return "sourceMappingURL" not in str(pattern)


class ManifestStorage(CompressedManifestStaticFilesStorage):
    """Leaves source map comments alone: packages name maps they do not ship, and collectstatic stops on those."""

    patterns = tuple(
        (extension, tuple(filter(_without_source_maps, patterns)))
        for extension, patterns in CompressedManifestStaticFilesStorage.patterns
    )


class StaticFilesConfig(apps.StaticFilesConfig):
    """What packages ship and no page uses is not collected: compressing it would take minutes."""

    ignore_patterns = [
        *apps.StaticFilesConfig.ignore_patterns,
        *("*.map", "*.rtl.*", "*.scss", "*.less", "*.ts", "*.mjs", "*.esm.*", "esm", "cjs", "libs"),
        *("flags", "payments", "social", "tabler-flags*", "tabler-payments*", "tabler-social*"),
        *("tabler-icons*.html", "tabler-icons-[23]00*", "echarts.js", "echarts.common*", "echarts.simple*"),
    ]
