"""PatternMemory beside hnswlib, FAISS and sqlite-vec: the same vectors, the same queries, one thread, ten nearest.

Ours fetches whole rows from the store and hnswlib and FAISS answer bare numbers, so ours has more in it; sqlite-vec
reads its vectors from a SQLite file as we do. Recall is against comparing with every vector. "First query" is the time
until an index answers: ours reads its vectors from the store, hnswlib builds its graph, on all cores.
"""
import argparse
import importlib.metadata
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

try:  # any of them may be missing: hnswlib has no wheels
    import faiss
except ImportError:
    faiss = None
try:
    import hnswlib
except ImportError:
    hnswlib = None
try:
    import sqlite_vec
except ImportError:
    sqlite_vec = None

DIMS = 128
NEAREST = 10


def ours(build, folder, short):
    """Runs our benchmark, which leaves its vectors in `folder`; benchmark name -> its JSON record."""
    program = Path(build) / "benchmarks" / "memory_benchmark"
    result = folder / "ours.json"
    env = dict(os.environ, GRYM_BENCH_FOLDER=str(folder), GRYM_BENCH_SHORT="1" if short else "")
    command = [str(program), "--benchmark_filter=Query|Open", f"--benchmark_out={result}", "--benchmark_out_format=json",
               f"--benchmark_min_time={0.05 if short else 0.5}"]
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    return {record["name"]: record for record in json.loads(result.read_text())["benchmarks"]}


def vectors_of(path):
    return np.fromfile(path, dtype=np.float32).reshape(-1, DIMS)


def timed(search, queries):
    """Mean milliseconds a query, and the ids found."""
    search(queries[0])
    found = []
    started = time.perf_counter()
    for query in queries:
        found.append(search(query))
    return (time.perf_counter() - started) / len(queries) * 1000, found


def recall(found, truth, vectors, queries):
    """Share of answers at least as near as the tenth nearest; equal vectors stand for each other."""
    hits = 0
    for ids, nearest, query in zip(found, truth, queries):
        hits += int(np.sum(vectors[ids] @ query >= np.min(vectors[nearest] @ query) - 1e-6))
    return hits / (len(truth) * NEAREST)


def exact_ids(vectors, queries):
    return [np.argpartition(vectors @ query, -NEAREST)[-NEAREST:] for query in queries]


def on_faiss(vectors, queries):
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(DIMS)
    flat.add(vectors)
    return timed(lambda q: flat.search(q[None], NEAREST)[1][0].tolist(), queries)[0]


def on_hnswlib(vectors, queries):
    """Mean milliseconds, recall, seconds until the first answer."""
    graph = hnswlib.Index(space="ip", dim=DIMS)
    graph.init_index(max_elements=len(vectors), M=16, ef_construction=100, random_seed=100)
    started = time.perf_counter()
    graph.add_items(vectors)
    built_s = time.perf_counter() - started
    graph.set_num_threads(1)
    graph.set_ef(128)
    milliseconds, found = timed(lambda q: graph.knn_query(q[None], k=NEAREST)[0][0].tolist(), queries)
    return milliseconds, recall(found, exact_ids(vectors, queries), vectors, queries), built_s


def on_sqlite_vec(vectors, queries, folder):
    path = folder / "vec.db"
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.enable_load_extension(True)
    sqlite_vec.load(db)
    db.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{DIMS}] distance_metric=cosine)")
    with db:
        db.executemany("INSERT INTO v (rowid, e) VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(vectors)))
    sql = f"SELECT rowid FROM v WHERE e MATCH ? AND k = {NEAREST}"
    milliseconds, _ = timed(lambda q: [row[0] for row in db.execute(sql, (q.tobytes(),))], queries[:20])
    db.close()
    return milliseconds


def peers_on(vectors, queries, folder):
    """Those that are there: [(name, milliseconds, recall)], and the seconds until hnswlib answers, or None."""
    rows, built_s = [], None
    if faiss:
        rows.append(("FAISS flat", on_faiss(vectors, queries), 1.0))
    if hnswlib:
        milliseconds, found, built_s = on_hnswlib(vectors, queries)
        rows.append(("hnswlib", milliseconds, found))
    if sqlite_vec and not hasattr(sqlite3.Connection, "enable_load_extension"):
        print("   sqlite-vec is left out: this Python's sqlite3 was built without extensions")
    elif sqlite_vec:
        rows.append(("sqlite-vec", on_sqlite_vec(vectors, queries, folder), 1.0))
    return rows, built_s


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="grym-peers") as name:
        folder = Path(os.environ.get("GRYM_BENCH_FOLDER", name))
        records = ours(args.build, folder, args.short)
        for kind in ("Clustered", "Random", "Motifs"):
            for count in (10000, 100000, 1000000):
                record = records.get(f"BM_Memory_Query{kind}/{count}")
                if record is None:
                    continue
                label = f"{kind.lower()}-{count}"
                print(f"   {label}", flush=True)
                vectors, queries = vectors_of(folder / f"{label}.f32"), vectors_of(folder / f"{label}-queries.f32")
                peers, built_s = peers_on(vectors, queries, Path(name))
                for by, peer_ms, peer_recall in peers:
                    rows.append({"work": f"query {label}, recall {record['recall_at_10']:.3f} : {peer_recall:.3f}",
                                 "ours": record["mean_ms"], "peer": peer_ms, "unit": "ms", "by": by})
                if built_s is not None:
                    rows.append({"work": f"first query {label}", "ours": record["first_query_s"], "peer": built_s,
                                 "unit": "s", "by": "hnswlib"})
    here = [name for name, module in (("hnswlib", hnswlib), ("faiss-cpu", faiss), ("sqlite-vec", sqlite_vec)) if module]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in [*here, "numpy"])
    args.out.write_text(json.dumps({"versions": versions, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
