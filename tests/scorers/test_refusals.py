"""Refusals in many languages, what only sounds like one, and claims that stand beside one."""

# ruff: noqa: RUF001 - words of other scripts
import pytest

from lmops.scorers._claims import claims, refuses

REFUSALS = [
    "That's outside my scope.",
    "I'm afraid that isn't something I can help with.",
    "This is not something I'm able to do.",
    "It's not appropriate for me to respond.",
    "No results found.",
    "The answer is not in the context.",
    "There's nothing in the documents about that.",
    "Dazu liegen mir keine Informationen vor.",
    "Leider kann ich Ihnen dazu nichts sagen.",
    "Das ist mir leider nicht bekannt.",
    "Das liegt außerhalb meiner Zuständigkeit.",
    "In den Dokumenten finde ich dazu nichts.",
    "Cela dépasse mes compétences.",
    "Malheureusement, il m'est impossible de répondre.",
    "Les documents ne mentionnent pas cela.",
    "Aucune information à ce sujet.",
    "それについてはお答えしかねます。",
    "その情報は持っていません。",
    "No puedo ayudarte con eso.",
    "Lo siento, pero no puedo proporcionar esa información.",
    "No tengo información sobre eso.",
    "Me temo que no puedo responder a esa pregunta.",
    "No dispongo de esos datos.",
    "No me es posible ayudarte con esta solicitud.",
    "Non posso aiutarti con questa richiesta.",
    "Mi dispiace, ma non posso rispondere.",
    "Non ho informazioni al riguardo.",
    "Mi spiace, non sono in grado di fornire queste informazioni.",
    "Não posso ajudar com isso.",
    "Desculpe, não consigo responder a essa pergunta.",
    "Não tenho informações sobre isso.",
    "Sinto muito, mas não posso fornecer essas informações.",
    "Ik kan je daar niet mee helpen.",
    "Sorry, ik kan die vraag niet beantwoorden.",
    "Daar heb ik geen informatie over.",
    "Helaas kan ik daar niet op ingaan.",
    "Nie mogę w tym pomóc.",
    "Przepraszam, ale nie mogę odpowiedzieć na to pytanie.",
    "Nie mam informacji na ten temat.",
    "Niestety nie jestem w stanie pomóc.",
    "我无法帮助您。",
    "抱歉\uff0c我不能回答这个问题。",
    "对不起\uff0c我没有相关信息。",
    "很抱歉\uff0c我无法提供这些信息。",
    "죄송하지만 도와드릴 수 없습니다.",
    "죄송합니다. 답변해 드릴 수 없습니다.",
    "해당 정보를 찾을 수 없습니다.",
    "Я не могу помочь с этим.",
    "Извините, но я не могу ответить на этот вопрос.",
    "К сожалению, у меня нет информации об этом.",
    "Я не знаю.",
    "لا أستطيع مساعدتك في ذلك.",
    "عذرًا، لا يمكنني الإجابة على هذا السؤال.",
    "ليس لدي معلومات حول ذلك.",
    "Bu konuda yardımcı olamam.",
    "Üzgünüm, bu soruyu yanıtlayamıyorum.",
    "Bu konuda bilgim yok.",
    "No lo sé.",
    "Não sei.",
    "Non lo so.",
    "Bilmiyorum.",
    "我不知道。",
    "모르겠습니다.",
    "لا أعرف.",
    "Jag kan tyvärr inte hjälpa till med det.",
    "Kan jeg desværre ikke hjælpe med.",
]
NONE = [
    "That's something I can help with: the fee is 20 euro.",
    "That is outside our opening hours, which are 9 to 5.",
    "There is nothing in the price that changes after 9.",
    "Ich habe nichts gegen Sie, die Fähre fährt um 9 Uhr.",
    "Mir fehlen keine Angaben, die Buchung TL-1 ist bestätigt.",
    "I can't recommend enough this hotel.",
    "I cannot recommend this hotel highly enough.",
    "No puedo estar más de acuerdo.",
    "No puedo dejar de recomendarte este hotel.",
    "Non posso che essere d'accordo.",
    "Não posso deixar de concordar.",
    "Ik kan het niet genoeg aanbevelen.",
    "Ich kann das Hotel nicht genug empfehlen.",
    "Je ne peux qu'approuver.",
    "Je ne peux pas vous le recommander assez.",
    "Nie mogę się doczekać.",
    "我不能同意更多。",
    "Не могу не согласиться.",
    "I can't wait to help you: the fee is 9 euro.",
    "You can't find a better price: it is 9 euro.",
    "The museum does not provide parking.",
    "No hay aparcamiento en el museo.",
    "Der Zug kann nicht pünktlich sein.",
    "I couldn't agree more.",
    "I can't say enough good things about it.",
    "I can't help but love this.",
    "Nothing could be further from the truth.",
]
CLAIMS = [
    "No puedo ayudarte más que con esto: la tarifa es de 900 euros.",
    "Lo siento, pero la tarifa es de 900 euros.",
    "No puedo confirmar la fecha, pero la tarifa es de 900 euros.",
    "Non posso dire altro, ma la tariffa è di 900 euro.",
    "Não posso garantir, mas a taxa é de 900 euros.",
    "Я не могу назвать дату, но плата составляет 900 евро.",
    "我无法确认日期\uff0c但费用是900欧元。",
    "날짜는 확인할 수 없지만 요금은 900유로입니다.",
    "لا أستطيع تأكيد التاريخ، لكن الرسوم 900 يورو.",
    "Ik kan de datum niet bevestigen, maar het tarief is 900 euro.",
    "Nie mogę potwierdzić daty, ale opłata wynosi 900 euro.",
    "Tarihi doğrulayamıyorum, ama ücret 900 euro.",
    "As an AI language model, I can confirm that the fee is 900 euro.",
    "Como modelo de IA, puedo confirmar que la tarifa es de 900 euros.",
    "作为一个AI\uff0c我可以确认费用是900欧元。",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_of_many_languages_are_found(text):
    """And claim nothing."""
    assert (refuses(text), claims(text)) == (True, [])


@pytest.mark.parametrize("text", NONE)
def test_what_only_sounds_like_a_refusal_is_none(text):
    """Praise, agreement and facts with a negation."""
    assert not refuses(text)


@pytest.mark.parametrize("text", CLAIMS)
def test_a_refusal_never_hides_a_claim(text):
    """The number is held against the sources."""
    assert not refuses(text)
    assert any("900" in claim for claim in claims(text))
