"""Names that hold a word of secrets, or look as if, and are about something else; with a value of each."""

from __future__ import annotations

MISLEADING_NAMES = {
    # They count.
    "token_limit": "500", "max_tokens": "4096", "tokens_used": "1234", "token_count": "17", "key_count": "3",
    "prompt_tokens": "812", "completion_tokens": "90", "total_tokens": "902", "max_new_tokens": "256",
    "num_tokens": "11", "input_tokens": "51", "pass_count": "12", "passed": "12", "session_count": "3", "sessions": "3",
    "api_key_count": "2", "api_keys_count": "2", "otp_length": "6", "password_min_length": "8", "pass_rate": "0.93",
    # They tell what the secret is called, when it ends, how it is used.
    "secret_name": "prod/db", "secret_arn": "arn:aws:secretsmanager:eu-west-1:1:secret:x", "api_key_name": "ci",
    "password_policy": "12 characters", "password_changed_at": "2025-01-01T00:00:00Z", "token_type": "bearer",
    "token_expires_at": "1735689600", "auth_method": "oidc", "auth_url": "https://a.example",
    "authorization_status": "captured", "credential_type": "x509", "password_strength": "strong",
    "cookie_consent": "all", "cookie_domain": "example.com", "has_password": "yes", "encryption_key_id": "alias/main",
    # They are other keys, tokens and secrets.
    "primary_key": "id", "public_key": "ssh-rsa AAAAB3", "sort_key": "created_at", "cache_key": "user:1",
    "hotkey": "ctrl+k", "key_id": "1234abcd", "keys": "a,b", "keyword": "shoes", "eos_token": "</s>",
    "pad_token": "<pad>", "next_page_token": "CAUQAA", "token_symbol": "ETH", "token_standard": "ERC-20",
    "secret_santa": "Bob",
    # They only begin so.
    "compass": "north", "compass_heading": "270", "bypass_cache": "yes", "passenger_name": "Ada",
    "passport_country": "DE", "author": "Ada", "authority": "https://login.example.com", "keyboard": "us",
    "monkey": "Kong", "pinned": "yes", "spinner": "dots", "tokenizer": "bert", "secretary": "Carol",
}  # fmt: skip
