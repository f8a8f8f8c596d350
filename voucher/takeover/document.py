"""The format of the archive, field by field, from the tables themselves: its README, its schema, and docs/takeover.md.

`python -m voucher.takeover.document > docs/takeover.md` writes the page again after a table changed.
"""

import json
import sys
from typing import Any

from sqlalchemy import Table

from voucher.takeover.cells import kind_of
from voucher.takeover.manifest import FIRST_FORMAT, FORMAT
from voucher.takeover.tables import CARRIED, LEFT_OUT, carried_tables, columns_of
from voucher.takeover.words import meaning_of

_INTRODUCTION = f"""# La reprise : l’archive et son format

Cette archive contient ce qu’il faut à un autre opérateur pour honorer ce qui reste : les chèques en circulation, ce qui est
dû aux structures, ce que doivent les financeurs, les livres entiers. Format : `{FORMAT}` ; le premier, `{FIRST_FORMAT}`, se lit encore.

**Elle contient des secrets.** Le secret d’un chèque (`tag`) permet de taper son code ; les RIB sont ceux des structures. Gardez-la chiffrée,
donnez-la en main propre, détruisez les copies.

## La faire

    voucher export takeover --to reprise.zip --for cle-publique.pem       # chiffrée pour celui qui reprend
    voucher export takeover --to reprise.zip --passphrase                 # chiffrée par un mot de passe, demandé
    voucher export takeover --to reprise.zip --for cle-publique.pem --with-private-keys
    voucher export takeover --to reprise.zip --in-clear                   # en clair : à éviter

Celui qui reprend fait sa clé, et n’en donne que la partie publique :

    openssl genpkey -algorithm X25519 -out cle-privee.pem
    openssl pkey -in cle-privee.pem -pubout -out cle-publique.pem

Il donne aussi la ligne qu’écrit `voucher key` chez lui : ajoutez `--next-key "LIGNE"`. L’archive remet alors le registre à cette clé,
par son nom, et votre signature le prouve à tous ; elle ne se reprend qu’avec cette clé. Sans elle, qui ne connaît que votre clé ne pourra
pas savoir que celui qui reprend est le bon.

L’archive est l’image de la base à un instant. Arrêtez le service avant de la faire : ce qui s’encaisse après n’y est pas.

## La reprendre

    voucher migrate
    voucher import takeover reprise.zip --identity cle-privee.pem --expected-key CLÉ

La base doit être neuve. L’archive est d’abord vérifiée tout entière. Tout est repris, ou rien : avant
de garder, chaque compte doit avoir son solde, et `voucher verify` doit trouver ce qu’il trouvait chez l’opérateur d’avant, ni plus
ni moins.

L’archive d’une version antérieure se reprend aussi : ne lancez pas `voucher migrate`, donnez une base sans aucune table. Les tables de cette
version sont faites, remplies et comparées ligne à ligne, puis migrées ; la base ne sert rien avant la dernière étape. Ce que trouvent les
vérifications plus récentes est écrit à l’écran. L’archive d’une version plus récente demande le logiciel de cette version.
 `--expected-key` est la clé du programme que l’opérateur d’avant publie à `/.well-known/pass-numerique/keys.json`.

Ensuite :

1. Ouvrez les comptes de vos équipes. Aucune personne n’est reprise.
2. Les codes déjà imprimés restent bons : leurs clés publiques sont reprises. Sans les clés privées, elles ne signent plus : faites une clé à
   chaque collectivité avant de commander. Une commande que l’opérateur d’avant n’avait pas finie ne peut être fabriquée qu’avec sa clé
   privée ; le manifeste nomme ces commandes.
3. La clé du programme change avec `PASS_MASTER_KEY` : publiez la nouvelle. Ce qui sera scellé le sera par elle ; la table
   `seal_handover` garde la note qui prouve le passage, signée des deux (format : docs/proof.md).
4. L’adresse imprimée dans les codes est celle de l’opérateur d’avant. Faites-la pointer chez vous : les citoyens l’ouvrent avec leur téléphone.
   Les comptoirs lisent le code quelle que soit l’adresse.
5. Dites à votre banque de vous envoyer les relevés des comptes payeurs : les retours anciens seront rapprochés.

## Ce qu’elle contient

| fichier | contenu |
|---|---|
| `manifest.json` | chaque fichier avec ses octets, ses lignes et son SHA-256 ; la version ; le dernier point de contrôle ; les écarts connus, et les vérifications qui les cherchaient |
| `manifest.sig` | la signature Ed25519 de ce manifeste par la clé du programme, et cette clé |
| `schema.json` | les tables et leurs colonnes, pour un programme |
| `LISEZMOI.md` | cette page |
| `balances.csv` | le débit et le crédit de chaque compte du registre, en centimes |
| `handover.txt` | si l’on a dit qui reprend : la note qui lui remet le registre, signée de l’opérateur d’avant |
| `private_keys.json` | si on l’a demandé : les clés privées des collectivités, chacune chiffrée pour celui qui reprend |
| `tables/NN_nom.csv` | une table, dans l’ordre où elle se reprend |

Les fichiers CSV sont en UTF-8, séparés par des virgules, une ligne d’en-tête, fins de ligne `\\n`. Une valeur absente est `\\N` ; un texte
qui commence par `\\` en reçoit un autre devant. Les instants sont en temps universel, à la microseconde ; les jours sont ceux de Paris. Les
montants sont des centimes. Les identifiants sont des UUID. Les octets sont en base64.

La signature porte sur `pass-numerique/takeover/1`, un octet nul, puis le SHA-256 du manifeste.

### Le fichier chiffré

Il commence par `PASS-TAKEOVER/1` et une fin de ligne, la longueur de l’en-tête sur quatre octets, l’en-tête en JSON. Suivent des morceaux de 64 Kio,
chacun chiffré par ChaCha20-Poly1305 (RFC 8439) : nonce, le rang du morceau sur onze octets puis 1 pour le dernier, 0 sinon ; données
associées, le SHA-256 de tout ce qui précède le premier morceau. La clé vient d’un mot de passe par scrypt (r = 8, p = 1), ou d’un échange X25519 par
HKDF-SHA256 dont le contexte est `pass-numerique/takeover-file/1`, un octet nul, la clé éphémère et celle du destinataire. Le clair est un fichier zip.

## Ce qu’elle ne contient pas
"""


def document() -> str:
    """Return the page that describes the format, in French."""
    parts = [_INTRODUCTION]
    parts += [f"- `{name}` : {why[0].lower()}{why[1:]}" for name, why in LEFT_OUT.items()]
    parts.append("- `issuer_key.sealed_private_key` : une clé privée ne part que chiffrée pour celui qui reprend.")
    parts.append("\n## Les tables, champ par champ\n")
    parts.append("Les mouvements viennent avant leurs écritures, qui les closent. « oui » : peut être absent.")
    for table in carried_tables():
        parts.append(
            f"\n### {table.name}\n\n{CARRIED[table.name]}\n\n| champ | forme | absent | sens |\n|---|---|---|---|"
        )
        key = {column.name for column in table.primary_key.columns}
        for column in columns_of(table):
            name = f"**{column.name}**" if column.name in key else column.name
            absent = "oui" if column.nullable else ""
            parts.append(f"| {name} | {kind_of(column)} | {absent} | {meaning_of(column)} |")
    return "\n".join(parts) + "\n"


def described(table: Table) -> dict[str, Any]:
    """Return a table as the schema says it."""
    return {
        "what": CARRIED[table.name],
        "key": [column.name for column in table.primary_key.columns],
        "columns": [
            {
                "name": column.name,
                "form": kind_of(column),
                "nullable": bool(column.nullable),
                "refers_to": sorted(f"{key.column.table.name}.{key.column.name}" for key in column.foreign_keys),
            }
            for column in columns_of(table)
        ],
    }


def schema_document() -> bytes:
    """Return the schema of all tables, as JSON."""
    tables = {table.name: described(table) for table in carried_tables()}
    return json.dumps({"format": FORMAT, "tables": tables}, ensure_ascii=False, indent=1).encode()


if __name__ == "__main__":
    sys.stdout.write(document())
