"""Secrets without a shape of their own, in texts that say what they are: one maker of (text, secret part) a kind."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import quote

from tests.corpus.dice import URLSAFE, Dice
from tests.corpus.shapes import BASE32, pem

Made: TypeAlias = tuple[str, str]

SAFE = "!#%*+-.=?@^_~:/"
"""Symbols that need no quoting in most files."""

PASSWORD_KEYS = [
    "password",
    "passwd",
    "pwd",
    "db_password",
    "smtp-password",
    "userPassword",
    "admin_pass",
    "passphrase",
]
TOKEN_KEYS = ["token", "api_key", "apiKey", "access_token", "auth-token", "client_secret", "secretKey", "secret"]
ENV_KEYS = [
    "DB_PASSWORD", "PGPASSWORD", "MYSQL_ROOT_PASSWORD", "REDIS_PASS", "API_KEY", "SECRET_KEY", "JWT_SECRET",
    "APP_TOKEN", "SESSION_SECRET", "SMTP_PWD", "STRIPE_API_KEY", "SECRET_KEY_BASE", "AWS_SECRET_ACCESS_KEY",
]  # fmt: skip


def _key_and_value(dice: Dice, symbols: str = SAFE) -> Made:
    """A name out of a file, and what fits it."""
    if dice.random() < 0.6:
        return dice.choice(PASSWORD_KEYS), dice.password(symbols)
    return dice.choice(TOKEN_KEYS), dice.choice([dice.base62(24, 48), dice.hex(32), dice.base64url(30)])


def _url(dice: Dice, scheme: str, tail: str = "", *, user: str | None = None) -> Made:
    raw = dice.password("!$*+-._~,;&=") if dice.random() < 0.7 else dice.password("@!#%^&*:")
    secret = quote(raw, safe="!$*+-._~,;&=" if dice.random() < 0.9 else "@!*")
    return f"{scheme}://{dice.person() if user is None else user}:{secret}@{dice.host()}{tail}", secret


def _pairs(dice: Dice, form: str, symbols: str = SAFE) -> Made:
    """``form`` around a key and its value; {n} are other words."""
    key, secret = _key_and_value(dice, symbols)
    return form.format(key=key, secret=secret, n=dice.word(), who=dice.person(), host=dice.host()), secret


def _json(dice: Dice, levels: int) -> Made:
    key, secret = _key_and_value(dice, SAFE + "$&,;|<>()[]{}'")
    text = json.dumps({"host": dice.host(), key: secret, "port": dice.randint(1, 9999)}, indent=dice.choice([None, 2]))
    for _ in range(levels - 1):
        text = json.dumps({"op": dice.word(), "payload": text})
    return text, secret


def _env(dice: Dice, form: str, symbols: str = SAFE + "$&;,()<>[]{}|") -> Made:
    key = dice.choice(ENV_KEYS)
    secret = dice.password(symbols) if "PASS" in key or "PWD" in key else dice.base64url(30)
    return form.format(key=key, secret=secret, n=dice.word(), host=dice.host()), secret


def _basic(dice: Dice) -> Made:
    secret = b64encode(f"{dice.person()}:{dice.password()}".encode()).decode()
    return secret, secret


def _around(form: str, maker: Callable[[Dice], Made]) -> Callable[[Dice], Made]:
    def made(dice: Dice) -> Made:
        text, secret = maker(dice)
        return form.format(text, n=dice.words(3), host=dice.host(), who=dice.person()), secret

    return made


def _opaque(dice: Dice) -> Made:
    secret = dice.choice([dice.of(URLSAFE, 24, 60), dice.hex(40), dice.base62(32)])
    return secret, secret


def _password(symbols: str = SAFE) -> Callable[[Dice], Made]:
    def made(dice: Dice) -> Made:
        secret = dice.password(symbols)
        return secret, secret

    return made


def _strong(dice: Dice) -> Made:
    """One that nobody could take for a word, for places where a word would be one."""
    secret = dice.choice(
        [dice.base62(9, 16) + "7x", dice.word().capitalize() + dice.digits(2, 4) + dice.choice("!#$*")]
    )
    return secret, secret


def _service_account(dice: Dice) -> Made:
    key = pem(dice, "PRIVATE KEY") + "\n"
    text = json.dumps({"type": "service_account", "project_id": dice.word(), "pem": key, "client_id": dice.digits(21)})
    return text, json.dumps(key)[1:-1].removesuffix("\\n")


def _jwk(dice: Dice) -> Made:
    secret = dice.base64url(32)
    parts = {"kty": "EC", "crv": "P-256", "x": dice.base64url(32), "y": dice.base64url(32), "d": secret}
    return json.dumps(parts), secret


def _sas(dice: Dice) -> Made:
    secret = quote(dice.base64(32), safe="")
    address = f"https://{dice.word()}.blob.core.windows.net/{dice.word()}?sv=2024-11-04&se={dice.instant()}&sr=b&sp=r"
    return f"{address}&sig={secret}", secret


def _presigned(dice: Dice) -> Made:
    secret = dice.hex(64)
    return (
        f"https://{dice.word()}.s3.amazonaws.com/{dice.word()}.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date="
        f"20250101T000000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={secret}"
    ), secret


CONTEXTS: dict[str, Callable[[Dice], Made]] = {
    "postgres url": lambda dice: _url(dice, "postgresql", f":5432/{dice.word()}?sslmode=require"),
    "mysql url": lambda dice: _url(dice, "mysql+pymysql", f"/{dice.word()}"),
    "mongodb url": lambda dice: _url(dice, "mongodb+srv", f"/{dice.word()}?retryWrites=true&w=majority"),
    "redis url": lambda dice: _url(dice, "redis", ":6379/0", user=""),
    "amqp url": lambda dice: _url(dice, "amqps", "/%2F"),
    "https url": lambda dice: _url(dice, "https", f"/{dice.word()}.git"),
    "url in a text": _around("pip install --index-url {} {n}", lambda dice: _url(dice, "https", "/simple")),
    "url with a token as user": lambda dice: (
        f"https://{(secret := dice.choice([dice.hex(40), dice.base62(36)]))}@{dice.host()}/{dice.word()}.git",
        secret,
    ),
    "ado connection string": lambda dice: _pairs_ado(dice),
    "jdbc": lambda dice: (
        f"jdbc:postgresql://{dice.host()}/db?user=ada&password={(secret := dice.password('!*-._~'))}&ssl=true",
        secret,
    ),
    "azure storage": lambda dice: (
        "DefaultEndpointsProtocol=https;AccountName="
        f"{dice.word()};AccountKey={(secret := dice.base64(64))};EndpointSuffix=core.windows.net",
        secret,
    ),
    "azure service bus": lambda dice: (
        f"Endpoint=sb://{dice.word()}.servicebus.windows.net/;SharedAccessKeyName=Root;"
        f"SharedAccessKey={(secret := dice.base64(32))}",
        secret,
    ),
    "azure sas": _sas,
    "aws presigned": _presigned,
    "aws credentials file": lambda dice: (
        f"[default]\naws_access_key_id = {dice.word()}\naws_secret_access_key = {(secret := dice.base64(30))}\n",
        secret,
    ),
    "env dump": lambda dice: _env(dice, "HOME=/root\n{key}={secret}\nLANG=C.UTF-8\nHOST={host}"),
    "env dump, quoted": lambda dice: _env(dice, 'PATH=/usr/bin:/bin\n{key}="{secret}"\nPWD=/srv/{n}'),
    "env before a command": lambda dice: _env(dice, "{key}={secret} python manage.py {n}", SAFE),
    "export": lambda dice: _env(dice, "export {key}='{secret}' && ./{n}.sh"),
    "docker run": lambda dice: _env(dice, "docker run -d -e {key}={secret} -p 5432:5432 {n}:16", SAFE),
    "terraform variable": lambda dice: _env(dice, "TF_VAR_{key}={secret} terraform apply", SAFE),
    "json": lambda dice: _json(dice, 1),
    "json in json": lambda dice: _json(dice, 2),
    "json in json in json": lambda dice: _json(dice, 3),
    "yaml": lambda dice: _pairs(dice, "host: {host}\n{key}: {secret}\nname: {n}\n", "!*+-._~"),
    "yaml, quoted": lambda dice: _pairs(dice, "{n}:\n  {key}: '{secret}'\n  user: {who}", SAFE + "$&;,()<>[]{}|"),
    "ini": lambda dice: _pairs(dice, "[{n}]\nuser = {who}\n{key} = {secret}\n"),
    "properties": lambda dice: _pairs(dice, "spring.datasource.{key}={secret}\nserver.name={n}"),
    "toml": lambda dice: _pairs(dice, '[{n}]\n{key} = "{secret}"\nuser = "{who}"', SAFE + "$&;,()<>[]{}|"),
    "kubernetes environment": lambda dice: _env(dice, "env:\n  - name: {key}\n    value: {secret}\n", "!*+-._~"),
    "environment as json pairs": lambda dice: _env(dice, '[{{"name": "{key}", "value": "{secret}"}}]'),
    "xml element": lambda dice: _pairs(dice, "<server><id>{n}</id><{key}>{secret}</{key}></server>"),
    "xml attribute": lambda dice: _pairs(dice, '<datasource user="{who}" {key}="{secret}" host="{host}"/>'),
    "html form": lambda dice: _pairs(dice, '<input type="hidden" name="{key}" value="{secret}">'),
    "flag with =": lambda dice: _pairs(dice, "tool login --user {who} --{key}={secret} --host {host}"),
    "flag with a space": lambda dice: _pairs(dice, "tool login --user {who} --{key} {secret} --host {host}"),
    "flag, quoted": lambda dice: _pairs(dice, "tool --{key} '{secret}' {n}", SAFE + "$&;,()<>[]{}|"),
    "mysql -p": _around("mysqldump -h {host} -u root -p{} {n}", _password("!%*+-._")),
    "sshpass -p": _around("sshpass -p '{}' ssh {who}@{host}", _password()),
    "curl -u": _around("curl -s -u {who}:{} https://{host}/v1/{n}", _password("!%*+-._")),
    "bearer header": _around("curl -H 'Authorization: Bearer {}' https://{host}/v1", _opaque),
    "bearer alone": _around("Bearer {}", _opaque),
    "basic header": _around("Authorization: Basic {}\r\nHost: {host}\r\n", _basic),
    "token header": _around('{{"Authorization": "Token {}"}}', _opaque),
    "api key header": _around('curl https://{host}/v1 -H "X-Api-Key: {}"', _opaque),
    "gitlab header": _around('curl --header "PRIVATE-TOKEN: {}" https://{host}', _opaque),
    "vault header": _around("X-Vault-Token: {}\nAccept: */*", _opaque),
    "cookie header": _around("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: sessionid={}\r\n", _opaque),
    "set-cookie header": _around("Set-Cookie: session={}; Path=/; HttpOnly; Secure", _opaque),
    "netrc": _around("machine {host} login {who} password {}", _password()),
    "npmrc": _around("//registry.example.org/:_authToken={}", _opaque),
    "docker config": _around('{{"auths": {{"{host}": {{"auth": "{}"}}}}}}', _basic),
    "kubeconfig": lambda dice: (
        f"users:\n- name: {dice.person()}\n  user:\n    client-key-data: {(secret := dice.base64(400))}\n",
        secret,
    ),
    "sql create user": _around("CREATE USER {who} IDENTIFIED BY '{}'", _password()),
    "sql alter role": _around("ALTER ROLE {who} WITH LOGIN PASSWORD '{}';", _password()),
    "python assignment": lambda dice: _pairs(dice, "{n} = 3\n{who}_secret = {key!r}\npassword = '{secret}'\nrun({n})"),
    "python keyword": lambda dice: _pairs(dice, "connect(host='{host}', user='{who}', password='{secret}')"),
    "annotated field": lambda dice: _pairs(dice, "class Settings:\n    smtp_password: str = '{secret}'\n"),
    "javascript": lambda dice: _pairs(dice, "const {n} = {{ apiKey: '{secret}', region: '{n}' }};"),
    "php": lambda dice: _pairs(dice, "define('DB_PASSWORD', '{secret}');"),
    "php array": lambda dice: _pairs(dice, "['host' => '{host}', 'password' => '{secret}']"),
    "setter": lambda dice: _pairs(dice, '{n}.setPassword("{secret}");'),
    "subscript": lambda dice: _pairs(dice, 'os.environ["DB_PASSWORD"] = "{secret}"'),
    "query string": _around("GET /v1/{who}?page=2&access_token={}&limit=10 HTTP/1.1", _opaque),
    "form body": lambda dice: (
        f"user={dice.person()}&password={(secret := quote(dice.password(), safe=''))}&remember=1",
        secret,
    ),
    "fragment": _around("https://{host}/callback#access_token={}&expires_in=3600", _opaque),
    "percent-encoded": lambda dice: (
        f"next=%2Flogin%3Fpassword%3D{(secret := dice.base62(12) + '7a')}%26user%3D{dice.person()}",
        secret,
    ),
    "prose: is": _around("Hello {who}, the password is {} and the host is {host}.", _strong),
    "prose: for": _around("The password for {host} is: {}", _strong),
    "prose: colon": _around("Login at {host} with user {who}, password: {}. Then {n}.", _strong),
    "prose: brackets": _around("vpn account {who} (password: {}) works until Monday", _strong),
    "prose: pw": _around("user {who}, pw: {}", _strong),
    "prose: no space": _around("for {host} password:{}", _strong),
    "prose: in": _around("the password in {host} is {}", _strong),
    "after a space": _around("{who}@{host} Password {}", _strong),
    "in brackets": _around("{host} PASSWORD({})", _strong),
    "table": _around("| user | {who} |\n| password | {} |\n", _strong),
    "user and password": _around("ID/PW: {who}/{}", _strong),
    "user and password, plain": _around("User/Password {who}/{}", _strong),
    "flag -pw": _around("plink -l {who} -pw {} {host}", _password("!%*+-._")),
    "passphrase": lambda dice: (f"passphrase: '{(secret := dice.words(4, 6))}'", secret),
    "curl -u on its own line": _around("curl -s https://{host}/{who} \\\n  -u {who}:{}", _password("!%*+-._")),
    "php variable": _around("$password = '{}';", _password()),
    "header of any name": _around('curl https://{host} -H "Token: {}"', _opaque),
    "two lines": _around("Username: {who}\nPassword: {}\n", _password()),
    "pin": lambda dice: (f"the card of {dice.person()}, PIN: {(secret := dice.digits(4))}", secret),
    "cvv": lambda dice: (f"exp 12/29, CVV {(secret := dice.digits(3))}", secret),
    "otpauth": lambda dice: (
        f"otpauth://totp/{dice.word()}:ada?secret={(secret := dice.of(BASE32, 32))}&issuer={dice.word()}",
        secret,
    ),
    "jwk": _jwk,
    "service account": _service_account,
    "wifi": _around("WIFI:T:WPA;S:{who};P:{};;", _password("!#%*+-.=?@^_~/")),
    "log line": lambda dice: _pairs(dice, "2025-01-01T00:00:00Z DEBUG {n} login user={who} {key}={secret} ok=true"),
    "headers as a python dict": _around("{{'Authorization': 'Bearer {}', 'Accept': '*/*'}}", _opaque),
    "powershell": _around("$p = ConvertTo-SecureString '{}' -AsPlainText -Force", _password()),
}


def _pairs_ado(dice: Dice) -> Made:
    secret = dice.password("!#%*+-.?@^_~:/&$")
    key = dice.choice(["Password", "Pwd", "PWD"])
    return f"Server=tcp:{dice.host()},1433;Database=app;User Id={dice.person()};{key}={secret};Encrypt=true", secret
