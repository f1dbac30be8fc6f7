import sys

from suite.pool import ONE_THREAD, Job, run


def python(name, code):
    return Job(name, (sys.executable, "-c", code))


def test_a_job_that_dies_loses_nothing_that_was_finished(tmp_path):
    lines = []
    jobs = [
        python("dies", "import os; print('done one 0.1', flush=True); os._exit(9)"),
        python("lives", "print('done two'); print('words'); print('done three')"),
        python("fails", "raise SystemExit('no such thing')"),
    ]
    assert run(jobs, 2, tmp_path, lines.append) == {"one", "two", "three"}
    assert "words" in lines
    assert any(line.startswith("dies ended with 9") for line in lines)
    assert "no such thing" in (tmp_path / "fails.log").read_text()


def test_each_job_has_one_thread(tmp_path):
    names = sorted(ONE_THREAD)
    code = f"import os; print('done', ''.join(os.environ[name] for name in {names}))"
    assert run([python("threads", code)], 1, tmp_path) == {"1" * len(names)}
