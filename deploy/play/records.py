"""The demonstration's records, as a secretariat would write them into files."""

import json
from pathlib import Path

RECORDS = Path(__file__).resolve().parents[2] / "node/data/records.json"


def demonstration():
    """The demonstration's records as bodies in JSON, by id: kind and body."""
    rows = json.loads(RECORDS.read_text(encoding="utf-8"))["records"]
    return {row["id"]: (row["kind"], body(row)) for row in rows if row["rcp"] in ("add", "bali")}


def body(row):
    """A row of node/data/records.json as the JSON that `corridor record draft` takes."""
    texts = {
        field: [{"tag": tag, "text": text} for tag, text in row[field].items()]
        for field in ("title", "summary")
    }
    source, *others = row["title"]
    english = [] if "en" in row["title"] else ["en"]
    envelope = {
        "authorRole": "AUTHOR_ROLE_SECRETARIAT",
        "standing": "STANDING_SECRETARIAT_NOTE",
        "marking": "MARKING_CLEAR",
        "demonstration": True,
        "ourRef": row["id"],
        "sourceLang": source,
        "translations": [
            {"tag": tag, "origin": "TRANSLATION_ORIGIN_HUMAN"} for tag in [*others, *english]
        ],
        "languages": row["languages"],
        "countries": row["countries"],
        "gcmObjectives": row["gcm_objectives"],
        "themes": [{"label": {"tag": "en", "text": theme}} for theme in row["themes"]],
        "sources": [{"url": url} for url in [row["source"], *row["more_sources"]]],
    }
    years = {"startYear": row["start_year"], "endYear": row["end_year"] or 0}
    lessons = [{"text": [{"tag": "en", "text": text}]} for text in row["lessons"]]
    own = {
        "practice": {
            **years,
            "depth": "PRACTICE_DEPTH_SNAPSHOT",
            "stage": f"PRACTICE_STAGE_{'COMPLETED' if row['end_year'] else 'RUNNING'}",
            "lessons": lessons,
            "implementers": [{"name": row["rcp"].upper()}],
            "partners": [{"name": name} for name in row["partners"]],
        },
        "lesson": {
            "whatHappened": texts["summary"],
            "doDifferently": lessons[0]["text"] if lessons else [],
            "basis": "LESSON_BASIS_RESEARCH",
            "attribution": "LESSON_ATTRIBUTION_NAMED",
        },
    }
    instrument = {
        "instrument": f"INSTRUMENT_{row['kind'].upper()}",
        "period": {"from": str(row["start_year"])},
    }
    return {"envelope": envelope, **texts, **own.get(row["kind"], instrument)}
