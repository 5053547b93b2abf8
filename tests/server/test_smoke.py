from kit import TOKEN, metrics, receive, serving, snapshot


async def test_a_report_reaches_a_dashboard():
    async with serving() as peers, peers.dashboard() as dashboard, peers.agent() as agent:
        await snapshot(dashboard)
        await agent.send(metrics())

        message = await receive(dashboard, "metrics")

    assert message["data"]["server_id"] == "web-1"
