def test_x(functions, database):
    from tests.builders import a_service, hears, time_passes
    from datetime import timedelta

    a_service(database, "a")
    assert functions.heartbeat({"heartbeat_name": "a", "status": "UP"}).status == 201
    r = functions.api("GET", "/metrics")
    print(r.status, r.headers, r.body)
    functions.module("tick").handler({}, None)
    time_passes(database, timedelta(minutes=2))
    functions.module("tick").handler({}, None)
    r = functions.api("GET", "/metrics")
    print(r.status, r.headers, r.body)
    assert 0
