"""The text that opens the archive, for who receives it."""

README = """\
ARCHIVE D’AUDIT DU PASS NUMÉRIQUE

Cette archive permet de prouver les comptes sans le logiciel et sans sa base de données.

VÉRIFIER EN CINQ ÉTAPES

1. Installez Python 3.10 ou plus récent, puis la bibliothèque « cryptography » :
       pip install cryptography
2. Procurez-vous la clé publique du programme par une autre voie que cette archive (la convention, un courrier, le site).
   C’est une ligne de la forme « origine+identifiant+clé ».
3. Procurez-vous un point de contrôle ancien, gardé hors du programme : l’État, un financeur, votre propre dossier.
4. Lancez, avec l’archive telle que vous l’avez reçue :
       python verify.py archive.zip --key "la ligne de la clé" --checkpoint point-de-controle.txt
   Vous pouvez aussi décompresser l’archive et donner le dossier « audit ».
5. Lisez le résultat. La commande sort avec 0 si tout est juste, avec 1 en nommant chaque écart, avec 2 si elle n’a pas pu lire.

Par prudence, prenez verify.py dans une copie que vous avez relue : il tient en un fichier.
Avec « --proof preuve.tlog-proof » (autant de fois qu’il faut), la preuve d’une écriture est suivie jusqu’à la racine signée, et
retrouvée dans le journal. Sans l’archive, la clé suffit : python verify.py --key "la ligne de la clé" --proof preuve.tlog-proof
Avec « --payment-file fichier.xml » (autant de fois qu’il faut), le fichier que la banque a reçu est comparé à l’archive :
mêmes octets, mêmes virements.

CE QUE L’ARCHIVE CONTIENT

- entry.csv, movement.csv, account.csv : le registre en partie double, écriture par écriture.
- seal.csv : le numéro définitif de chaque écriture et l’empreinte de ce qu’elle était le jour de son scellement.
- checkpoint.csv : la racine de l’arbre des empreintes, jour après jour, signée (formats C2SP tlog-checkpoint et signed-note).
- trail_seal.csv, trail_checkpoint.csv : le numéro et l’empreinte de chaque ligne du journal des accès (qui a vu ou changé quoi), et les
  notes signées qui en donnent la racine. Les lignes elles-mêmes parlent de personnes : l’auditeur les lit dans l’application.
- les faits : enveloppes, conventions, commandes, chèques et leur état, encaissements, périodes, lots, règlements, relevés.
- payment_file_transfer.csv : la référence et le montant de chaque virement, lus dans les fichiers transmis à la banque.
- schema.json : le type, l’unité et les clés de chaque colonne. Les montants sont des centimes d’euro.
- manifest.json et manifest.sig : l’empreinte SHA-256 de chaque fichier, et la signature du programme.
- seal_handover.csv : si un autre opérateur a repris le programme, la note signée des deux. La clé de l’un ou de l’autre suffit à « --key ».
- programme-key.txt : la clé publique du programme. Ne vous y fiez que si vous l’avez aussi reçue par ailleurs.

Une archive « jusqu’à un jour » contient le journal seul : les faits ne sont connus que tels qu’ils sont aujourd’hui.

CE QU’ELLE NE CONTIENT PAS, ET POURQUOI

- Rien de ce qui permettrait de fabriquer un chèque : ni code secret, ni signature, ni clé privée.
- Aucune coordonnée bancaire, aucun nom de personne, aucune adresse électronique. Une structure peut être une seule personne.
  Le personnel n’apparaît que par des numéros : on peut compter deux regards, on ne peut nommer personne.
- Aucune donnée sur les bénéficiaires : le programme n’en a pas besoin pour compter.

CE QUE LA VÉRIFICATION PROUVE

- Le registre est équilibré, par livre et par financeur, et chaque écriture a ses mouvements.
- Rien de ce qui est scellé n’a été retiré, changé ou renuméroté ; chaque point de contrôle prolonge le précédent, et le vôtre.
- Aucune ligne scellée du journal des accès n’a été retirée, changée ou intercalée.
- Les étapes de la vie des chèques font le montant émis, au centime, par convention.
- Un chèque n’a servi qu’une fois. Une période n’est payée que par un lot. Un lot vaut ses règlements, ses fichiers et le registre.
- L’état de chaque règlement est au bout de son histoire : aucun changement n’y manque, ni n’y est inventé.
- « Payé » veut dire : une ligne de relevé, de ce montant, qui ne sert qu’à ce règlement.

CE QU’ELLE NE PROUVE PAS

- Ce qui est écrit depuis le dernier point de contrôle (un jour au plus) peut encore être changé sans que l’arbre le montre.
- Un point de contrôle que personne n’a gardé hors du programme ne protège de rien : déposez-les ailleurs, régulièrement.
- Que le service a été rendu : cela, seules les structures et les personnes le savent.
"""
