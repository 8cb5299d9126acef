"""Roots that Java or browsers no longer trust, or will not from a published day on: data, with where it is published.

A new row needs a public statement of whoever ends the trust; its address stands with it. The fingerprints are those of
the lists in the JDK (`sun.security.validator.*TLSPolicy`) and in Mozilla's and the authorities' own pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import chain


@dataclass(frozen=True, slots=True)
class Distrust:
    """One root and the day from which it counts for less.

    Attributes:
        sha256: Of the root.
        name: How people call it.
        day: The last day on which it was trusted in full.
        effect: What is true after that day, a sentence without a full stop.
        source: Where that is published.
    """

    sha256: str
    name: str
    day: date
    effect: str
    source: str


@dataclass(frozen=True, slots=True)
class _Statement:
    """What somebody has published about several roots."""

    day: date
    effect: str
    source: str
    roots: tuple[tuple[str, str], ...]

    def rows(self) -> tuple[Distrust, ...]:
        return tuple(Distrust(sha256, name, self.day, self.effect, self.source) for sha256, name in self.roots)


_ISSUED_AFTER = "Java and browsers refuse server certificates below it that were issued after {}"
_BROWSERS = "browsers refuse server certificates below it that were issued after {}"
_MOZILLA = "Mozilla trusts no server certificate below it after {}, and others follow its list"
_LIFECYCLES = "https://wiki.mozilla.org/CA/Root_CA_Lifecycles"
_GLOBALSIGN = "https://support.globalsign.com/ssl/general-ssl/removal-tls-trust-bit-roots-r1-and-r3-mozilla"

_STATEMENTS = (
    # Symantec, GeoTrust, Thawte and VeriSign: JDK, SymantecTLSPolicy.
    _Statement(
        date(2019, 4, 16),
        _ISSUED_AFTER.format("2019-04-16"),
        "https://bugs.openjdk.org/browse/JDK-8207258",
        (
            ("ff856a2d251dcd88d36656f450126798cfabaade40799c722de4d2b5db36a73a", "GeoTrust Global CA"),
            (
                "37d51006c512eaab626421f1ec8c92013fc5f82ae98ee533eb4619b8deb4d06c",
                "GeoTrust Primary Certification Authority",
            ),
            (
                "5edb7ac43b82a06a8761e8d7be4979ebf2611f7dd79bf91c1c6b566a219ed766",
                "GeoTrust Primary Certification Authority - G2",
            ),
            (
                "b478b812250df878635c2aa7ec7d155eaa625ee82916e2cd294361886cd1fbd4",
                "GeoTrust Primary Certification Authority - G3",
            ),
            ("a0459b9f63b22559f5fa5d4c6db3f9f72ff19342033578f073bf1d1b46cbb912", "GeoTrust Universal CA"),
            ("8d722f81a9c113c0791df136a2966db26c950a971db46b4199f4ea54b78bfb9f", "thawte Primary Root CA"),
            ("a4310d50af18a6447190372a86afaf8b951ffb431d837f1e5688b45971ed1557", "thawte Primary Root CA - G2"),
            ("4b03f45807ad70f21bfc2cae71c9fde4604c064cf5ffb686bae5dbaad7fdd34c", "thawte Primary Root CA - G3"),
            ("3f9f27d583204b9e09c8a3d2066c4b57d3a2479c3693650880505698105dbce9", "Thawte Premium Server CA"),
            (
                "3a43e220fe7f3ea9653d1e21742eac2b75c20fd8980305bc502caf8c2d9b41a1",
                "Class 2 Public Primary Certification Authority - G2",
            ),
            (
                "a4b6b3996fc2f306b3fd8681bd63413d8c5009cc4fa329c2ccf0e2fa1b140305",
                "Class 3 Public Primary Certification Authority",
            ),
            (
                "83ce3c1229688a593d485f81973c0f9195431eda37cc5e36430e79c7a888638b",
                "Class 3 Public Primary Certification Authority - G2",
            ),
            (
                "eb04cf5eb1f39afa762f2bb120f296cba520c1b97db1589565b81cb9a17b7244",
                "VeriSign Class 3 Public Primary Certification Authority - G3",
            ),
            (
                "69ddd7ea90bb57c93e135dc85ea6fcd5480b603239bdc454fc758b2a26cf7f79",
                "VeriSign Class 3 Public Primary Certification Authority - G4",
            ),
            (
                "9acfab7e43c8d880d06b262a94deeee4b4659989c3d0caf19baf6405e41ab7df",
                "VeriSign Class 3 Public Primary Certification Authority - G5",
            ),
            (
                "2399561127a57125de8cefea610ddf2fa078b5c8067f4e828290bfb860e84b3c",
                "VeriSign Universal Root Certification Authority",
            ),
        ),
    ),
    # WoSign and StartCom.
    _Statement(
        date(2016, 10, 21),
        _BROWSERS.format("2016-10-21"),
        "https://security.googleblog.com/2016/10/distrusting-wosign-and-startcom.html",
        (
            ("4b22d5a6aec99f3cdb79aa5ec06838479cd5ecba7164f7f22dc1d65f63d85708", "Certification Authority of WoSign"),
            (
                "d487a56f83b07482e85e963394c1ecc2c9e51d0903ee946b02c301581ed99e16",
                "Certification Authority of WoSign G2",
            ),
            ("8b45da1c06f791eb0cabf26be588f5fb23165c2e614bf885562d0dce50b29b02", "CA WoSign ECC Root"),
            ("c766a9bef2d4071c863a31aa4920e813b2d198608cb7b7cfe21143b836df09ea", "StartCom Certification Authority"),
            ("e17890ee09a3fbf4f48b9c414a17d637b7a50647e9bc752322727fcc1742a911", "StartCom Certification Authority"),
            ("c7ba6567de93a798ae1faa791e712d378fae1f93c4397fea441bb7cbe6fd5995", "StartCom Certification Authority G2"),
        ),
    ),
    # Entrust and AffirmTrust: JDK, EntrustTLSPolicy; newer ones have the AffirmTrust roots no more.
    _Statement(
        date(2024, 11, 11),
        _ISSUED_AFTER.format("2024-11-11"),
        "https://bugs.openjdk.org/browse/JDK-8337664",
        (
            (
                "73c176434f1bc6d5adf45b0e76e727287c8de57616c1e6e6141a2b2cbc7d8e4c",
                "Entrust Root Certification Authority",
            ),
            (
                "02ed0eb28c14da45165c566791700d6451d7fb56f0b2ab1d3b8eb070e56edff5",
                "Entrust Root Certification Authority - EC1",
            ),
            (
                "43df5774b03e7fef5fe40d931a7bedf1bb2e6b42738c4e6d3841103d3aa7f339",
                "Entrust Root Certification Authority - G2",
            ),
            (
                "db3517d1f6732a2d5ab97c533ec70779ee3270a62fb4ac4238372460e6f01e88",
                "Entrust Root Certification Authority - G4",
            ),
            (
                "6dc47172e01cbcb0bf62580d895fe2b8ac9ad4f873801e0c10b9c837d21eb177",
                "Entrust.net Certification Authority (2048)",
            ),
            ("0376ab1d54c5f9803ce4b2e201a0ee7eef7b57b636e8a93c9b8d4860c96f5fa7", "AffirmTrust Commercial"),
            ("0a81ec5a929777f145904af38d5d509f66b5e2c58fcdb531058b0e17f3f0b41b", "AffirmTrust Networking"),
            ("70a73f7f376b60074248904534b11482d5bf0e698ecc498df52577ebf2e93b9a", "AffirmTrust Premium"),
            ("bd71fdf6da97e4cf62d1647add2581b07d79adf8397eb4ecba9c5e8488821423", "AffirmTrust Premium ECC"),
        ),
    ),
    # Camerfirma: JDK, CamerfirmaTLSPolicy.
    _Statement(
        date(2025, 4, 15),
        _ISSUED_AFTER.format("2025-04-15"),
        "https://bugs.openjdk.org/browse/JDK-8347738",
        (("063e4afac491dfd332f3089b8542e94617d893d7fe944e10a7937ee29d9693c0", "Chambers of Commerce Root - 2008"),),
    ),
    # Chunghwa Telecom and Netlock, as Chrome has it; the ePKI root is Java's as well, see below.
    _Statement(
        date(2025, 7, 31),
        "Chrome refuses server certificates below it that were issued after 2025-07-31",
        "https://security.googleblog.com/2025/05/sustaining-digital-certificate-security-chrome-root-store-changes.html",
        (
            ("f015ce3cc239bfef064be9f1d2c417e1a0264a0a94be1f0c8d121864eb6949cc", "HiPKI Root CA - G1"),
            ("6c61dac3a2def031506be036d2a6fe401994fbd13df9c8d466599274c446ec98", "NetLock Arany (Class Gold)"),
        ),
    ),
    # Chunghwa Telecom: JDK, ChunghwaTLSPolicy.
    _Statement(
        date(2026, 3, 17),
        _ISSUED_AFTER.format("2026-03-17"),
        "https://bugs.openjdk.org/browse/JDK-8369282",
        (("c0a6f4dc63a24bfdcf54ef2a6a082a0a72de35803e2ff5ff527ae5d87206dfd5", "ePKI Root Certification Authority"),),
    ),
    # Keys older than Mozilla accepts (Mozilla Root Store Policy, 7.4).
    _Statement(
        date(2025, 4, 15),
        _MOZILLA.format("2025-04-15"),
        _LIFECYCLES,
        (
            ("d7a7a0fb5d7e2731d771e9484ebcdef71d5f0c3e0a2948782bc83ee0ea699ef4", "AAA Certificate Services"),
            ("16af57a9f676b0ab126095aa5ebadef22ab31119d644ac95cd4b93dbf3f26aeb", "Baltimore CyberTrust Root"),
            ("ebd41040e4bb3ec742c9e381d31ef2a41a48b6685c96e7cef3c1df6cd4331c99", "GlobalSign Root CA"),
            (
                "c3846bf24b9e93ca64274c0ec67c1ecc5e024ffcacd2d74019350e81fe546ae4",
                "Go Daddy Class 2 Certification Authority",
            ),
            (
                "1465fa205397b876faa6f0a9958e5590e40fcc7faa4fb7c2c8677521fb5fb658",
                "Starfield Class 2 Certification Authority",
            ),
            (
                "cecddc905099d8dadfc5b1d209b737cbe2c18cfb2c10c0ff0bcf0d3286fc1aa2",
                "XRamp Global Certification Authority",
            ),
        ),
    ),
    _Statement(
        date(2026, 4, 15),
        _MOZILLA.format("2026-04-15"),
        _LIFECYCLES,
        (
            ("3e9099b5015e8f486c00bcea9d111ee721faba355a89bcf1df69561e3dc6325c", "DigiCert Assured ID Root CA"),
            ("4348a0e9444c78cb265e058d5e8944b4d84f9662bd26db257f8934a443c70161", "DigiCert Global Root CA"),
            ("7431e5f4c3c1ce4690774f0b61e05440883ba9a01ed00ba6abd7806ed3b118cf", "DigiCert High Assurance EV Root CA"),
            ("eaa962c4fa4a6bafebe415196d351ccd888d4f53f3fa8ae6d7c466a94e6042bb", "certSIGN ROOT CA"),
            ("62dd0be9b9f50a163ea0f8e75c053b1eca57ea55c8688f647c6881f2c8357b95", "SwissSign Gold CA - G2"),
            ("4200f5043ac8590ebb527d209ed1503029fbcbd41ca1b506ec27f15ade7dac69", "Secure Global CA"),
            ("f1c1b50ae5a20dd8030ec9f6bc24823dd367b5255759b4e71b61fce9f7375d73", "SecureTrust CA"),
            ("0c2cd63df7806fa399ede809116b575bf87989f06518f9808c860503178baf66", "COMODO Certification Authority"),
            ("e3b6a2db2ed7ce48842f7ac53241c7b71d54144bfb40c11f3f1d0b42f5eea12d", "Certigna"),
            ("85a0dd7dd720adb7ff05f83d542b209dc7ff4528f7d677b18389fea5e5c49e86", "QuoVadis Root CA 2"),
            ("18f1fc7f205df8adddeb7fe007dd57e3af375a9c4d8d73546bf4f1fed1e18d35", "QuoVadis Root CA 3"),
        ),
    ),
    # The same schedule, as GlobalSign publishes it for its roots.
    _Statement(
        date(2027, 4, 15),
        _MOZILLA.format("2027-04-15"),
        _GLOBALSIGN,
        (("cbb522d7b7f127ad6a0113865bdf1cd4102e7d0759af635a7cf4720dc963c53b", "GlobalSign Root CA - R3"),),
    ),
    _Statement(
        date(2029, 4, 15),
        _MOZILLA.format("2029-04-15"),
        _GLOBALSIGN,
        (("179fbc148a3dd00fd24ea13458cc43bfa7f59c8182d783a513f6ebec100c8924", "GlobalSign ECC Root CA - R5"),),
    ),
    _Statement(
        date(2029, 12, 10),
        _MOZILLA.format("2029-12-10"),
        _GLOBALSIGN,
        (("2cabeafe37d06ca22aba7391c0033d25982952c453647349763a3ab5ad6ccf69", "GlobalSign Root CA - R6"),),
    ),
)
DISTRUSTED: dict[str, Distrust] = {
    row.sha256: row for row in chain.from_iterable(statement.rows() for statement in reversed(_STATEMENTS))
}
