"""The install page's minimal client, written from the contract: what existing users already run."""

from __future__ import annotations

import os
from typing import Any

import requests


class OWKAIClient:
    """Submits actions and asks how they stand; it never claims and knows nothing of level 2."""

    def __init__(self, api_key: str | None = None, base_url: str | None = None) -> None:
        self.api_key = api_key or os.environ.get("OWKAI_API_KEY", "")
        self.base_url = (base_url or os.environ.get("OWKAI_API_URL", "https://pilot.owkai.app")).rstrip("/")
        if not self.api_key:
            raise ValueError("API key required. Set OWKAI_API_KEY environment variable.")
        self.session = requests.Session()
        self.session.headers.update(
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.api_key}",
                "User-Agent": "OWKAIClient/2.0 Python",
            }
        )

    def submit_action(self, **fields: Any) -> dict[str, Any]:
        response = self.session.post(f"{self.base_url}/api/v1/actions/submit", json=fields, timeout=30)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def get_action_status(self, action_id: int) -> dict[str, Any]:
        response = self.session.get(f"{self.base_url}/api/v1/actions/{action_id}/status", timeout=10)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def test_connection(self) -> bool:
        if self.session.get(f"{self.base_url}/health", timeout=5).status_code != 200:
            return False
        return self.session.get(f"{self.base_url}/api/deployment-info", timeout=5).status_code == 200
