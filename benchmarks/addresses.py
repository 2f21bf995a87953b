"""What rules on addresses cost: `python -m benchmarks.addresses`.

Reading 1,000 of them, which a container does each 30 s, and looking an address up, which every call does.
"""

import time
from ipaddress import ip_address, ip_network
from random import Random
from typing import Final

from tallygate.aws.address_store import MAX_RULES
from tallygate.aws.gate_rows import address_rule
from tallygate.core.addresses import AddressRules

LOOKUPS: Final = 200_000
ROUNDS: Final = 5


def main() -> None:
    random = Random(1)
    networks = {str(ip_network((random.getrandbits(32) >> 8 << 8, 24))) for _ in range(MAX_RULES // 2)}
    while len(networks) < MAX_RULES:
        prefix = random.choice((16, 20, 28, 30, 32))
        networks.add(str(ip_network((random.getrandbits(32) >> (32 - prefix) << (32 - prefix), prefix))))
    rows = [{"pk": {"S": "plans"}, "sk": {"S": f"#{network}"}, "act": {"S": "block"}} for network in networks]
    reading = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        rules = AddressRules(address_rule(row) for row in rows)
        reading.append(time.perf_counter() - began)
    addresses = [ip_address(random.getrandbits(32)) for _ in range(1_000)]
    looking = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for number in range(LOOKUPS):
            rules.action(addresses[number % 1_000], 0)
        looking.append((time.perf_counter() - began) / LOOKUPS)
    print(f"reading {MAX_RULES:,} rules  {min(reading) * 1e3:6.1f} ms")
    print(f"looking one up       {min(looking) * 1e6:6.2f} µs")


if __name__ == "__main__":
    main()
