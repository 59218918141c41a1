"""Static files under names that change with their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


def _without_source_maps(pattern: object) -> bool:
    return "sourceMappingURL" not in str(pattern)


class ManifestStorage(CompressedManifestStaticFilesStorage):
    """Leaves source map comments alone: packages name maps they do not ship, and collectstatic stops on those."""

    patterns = tuple(
        (extension, tuple(filter(_without_source_maps, patterns)))
        for extension, patterns in CompressedManifestStaticFilesStorage.patterns
    )
