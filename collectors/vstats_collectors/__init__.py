"""The collectors that come with vStats, one section of the report each."""
