"""Languages: the words of a training in logs that are not English, and the signs of East Asian type."""

# ruff: noqa: RUF001
from __future__ import annotations

import re
import string
from typing import Final

_WORDS: Final = {
    "train": (
        "训练 訓練 学習 학습 훈련 entraînement entrainement entrenamiento treinamento treino addestramento обучение "
        "обучения обучении обучающей"
    ),
    "val": (
        "验证 驗證 検証 검증 validación validação validazione валидация валидации валидацию проверочной validierung"
    ),
    "test": "测试 測試 テスト 테스트 prueba teste",
    "train loss": "trainingsverlust",
    "val loss": "validierungsverlust",
    "loss": "损失值 损失 損失 誤差 손실 verlust perte pérdida perdida perda perdita потеря потери лосс",
    "lr": (
        "学习率 學習率 学習率 학습률 lernrate taux_d'apprentissage taux_d’apprentissage tasa_de_aprendizaje "
        "taxa_de_aprendizado скорость_обучения"
    ),
    "grad_norm": "梯度范数 梯度範數 梯度模 勾配ノルム 기울기_노름 gradientennorm",
    "epoch": "轮次 轮数 轮 回合 周期 エポック 에포크 에폭 epoche époque época epoca эпоха",
    "step": "步数 步骤 步 步驟 迭代次数 迭代 ステップ 스텝 schritt étape paso passo шаг итерация iteración itération",
    "accuracy": "准确率 準確率 精度 正解率 정확도 genauigkeit précision precisión acurácia точность",
    "perplexity": "困惑度",
}
_ENGLISH: Final = {word.replace("_", " "): english for english, words in _WORDS.items() for word in words.split()}
_LATIN: Final = re.compile("[a-z]")
_LETTER: Final = "[A-Za-zà-ÿ]"
_ANY = re.compile(
    "|".join(
        f"(?<!{_LETTER}){re.escape(word)}(?!{_LETTER})" if _LATIN.match(word) else re.escape(word)
        for word in sorted(_ENGLISH, key=len, reverse=True)
    ),
    re.IGNORECASE,
)
_LOSS_OF = re.compile(
    r"\bloss (?:de |di |del |da |do |на |d['’]|für |fuer |im |beim |bei der )?(train(?:ing)?|validation|val|test)\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"第\s*(\d+)\s*(?:/\s*(\d+)\s*)?个?\s*(轮|輪|epoch|步|次迭代)")
"""`第3轮` is the third epoch."""
_SIGNS: Final = str.maketrans({
    "：": ": ", "，": ", ", "；": "; ", "（": " (", "）": ") ", "＝": "=", "｜": "|", "％": "%", "、": ", ", "。": ". ",
    "【": "[", "】": "]", "／": "/",
})  # fmt: skip
_ENCODINGS: Final = ("cp1252", "gb18030", "cp932", "cp949", "cp1251")
_LETTERS = re.compile(f"[：，{''.join(set(''.join(_ENGLISH)) - set(string.printable))}]", re.IGNORECASE)


def is_foreign(text: str) -> bool:
    """Whether a text may hold one of these words."""
    if not text.isascii():
        return _LETTERS.search(text) is not None or "erlust" in text
    low = text.lower()  # a search for either of them takes ten times as long
    return "verlust" in low or "perte" in low or "perd" in low or "lernrate" in low or "epoche" in low


def decoded(line: bytes) -> str:
    """The text of a line, which is UTF-8 or, where its words tell that, of an older kind of Windows' own."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        guesses = (line.decode(encoding, "replace") for encoding in _ENCODINGS)
        return next(filter(_ANY.search, guesses), line.decode("utf-8", "replace"))


def in_english(text: str) -> str:
    """A text with the words for a training's figures in English; nothing else of it is translated."""
    if not is_foreign(text):
        return text
    text = _ANY.sub(_word, _COUNTED.sub(_counted, text.translate(_SIGNS)))
    return _LOSS_OF.sub(r"\1 loss", text)


def _counted(found: re.Match[str]) -> str:
    of = f"/{found[2]}" if found[2] else ""
    return f" {'step' if found[3] in ('步', '次迭代') else 'epoch'} {found[1]}{of} "


def _word(found: re.Match[str]) -> str:
    """One word for another. East Asian ones stand without spaces between them."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return f"{' ' if before.isalnum() else ''}{_ENGLISH[found[0].lower()]}{' ' if after.isalnum() else ''}"
