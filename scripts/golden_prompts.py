#!/usr/bin/env python3
"""Renders first prompts of suites and protocols without keju, for tests/suite/golden_prompts.jsonl.

Every prompt is put together here by plain string operations, as the protocol's own description or
script has it; nothing of the program's suite files is read. The data sets' licences forbid keeping
their texts, so a line holds the prompt's length and SHA-256, the gold answer's, and the options as
they are scored.

    scripts/golden_prompts.py DATA > tests/suite/golden_prompts.jsonl
"""
import ast
import csv
import gzip
import hashlib
import json
import pathlib
import random
import re
import sys

DATA = pathlib.Path(sys.argv[1])


def rows_csv(path):
    with open(DATA / path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rows_jsonl(path):
    with open(DATA / path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def sha(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def put(suite, protocol, subject, prompt, continuations=None, answer=None, gold=None, chat=None,
        conclusion=None):
    """conclusion: the second prompt, where the model wrote WROTE on from the first."""
    print(json.dumps({"suite": suite, "protocol": protocol, "subject": subject,
                      "characters": len(prompt), "prompt_sha256": sha(prompt),
                      "continuations": continuations,
                      "answer_sha256": None if answer is None else sha(answer), "gold": gold,
                      "chat_sha256": None if chat is None else sha(compact(chat)),
                      **({} if conclusion is None else {"conclusion_sha256": sha(conclusion)})},
                     ensure_ascii=False))


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def put_chat(suite, protocol, subject, answer, *messages):
    """A chat: messages of [role, text]. Its prompt, where worked examples are turns, is all that users
    and assistants say before the item is answered."""
    said = [text for role, text in messages if role != "system"]
    if messages[-1][0] == "assistant":  # the beginning of the answer
        said.pop()
    put(suite, protocol, subject, "\n\n".join(said), answer=answer, chat=[list(m) for m in messages])


LETTERS = ["A", "B", "C", "D"]
WROTE = "因为它是第一个。"


def block(row, question="question"):
    return row[question] + "".join(f"\n{x}. {row[x]}" for x in LETTERS)


def ceval():
    subject, zh = "computer_network", "计算机网络"
    dev = rows_csv(f"ceval/dev/{subject}_dev.csv")
    row = rows_csv(f"ceval/val/{subject}_val.csv")[0]
    gold = "ABCD".index(row["answer"])

    def choose(protocol, prompt, before="", letters=LETTERS):
        put("ceval", protocol, subject, prompt, [before + x for x in letters], gold=gold)

    def generate(protocol, prompt):
        put("ceval", protocol, subject, prompt, answer=row["answer"])

    head = f"以下是中国关于{zh}考试的单项选择题，请选出其中的正确答案。\n\n"
    shots = "".join(block(d) + "\n答案：" + d["answer"] + "\n\n" for d in dev)
    choose("official", head + shots + block(row) + "\n答案：")
    lme = f"以下是中国关于{zh}的单项选择题，请选出其中的正确答案。\n\n"
    choose("lm-eval", lme + row["question"].strip() + block(row)[len(row["question"]):] + "\n答案：", " ")
    one = f"以下是中国关于{zh}考试的单项选择题，请选出其中的正确答案。\n"
    ppl = "\n\n\n".join(one + block(d) + "\n答案: \n" + d["answer"] for d in dev)
    choose("opencompass", ppl + "\n\n\n\n\n" + one + block(row) + "\n答案:", " \n")
    once = f"以下是关于{zh}的单项选择题，请直接给出正确答案的选项。\n"
    choose("oc-ppl-1cd8bf", once + "".join(block(d) + "\n答案: " + d["answer"] + "\n\n" for d in dev)
           + block(row) + "\n答案:", " ")
    generate("oc-gen-5f30c7", "".join(one + block(d) + "\n答案: \n" + d["answer"] + "\n" for d in dev)
             + one + block(row) + "\n答案: ")
    choose("llama", head.replace(zh, subject) + shots + block(row) + "\n答案：")
    choose("qwen", "".join("问题：" + block(d) + "\n答案：" + d["answer"] + "\n\n" for d in dev)
           + "问题：" + block(row) + "\n答案：")
    choose("baichuan", head + "".join(block(d) + "\n答案：" + d["answer"] + "\n" for d in dev)
           + block(row) + "\n答案：")
    think = "\n答案：让我们一步一步思考，\n"
    generate("official-cot", head + "".join(
        block(d) + think + d["explanation"] + f"\n所以答案是{d['answer']}。\n\n" for d in dev)
        + block(row) + think + "1. ")
    put_chat("ceval", "qwen-chat0", subject, row["answer"],
             ("user", row["question"] + "\n" + block(row)[len(row["question"]):]))
    line = f"以下是中国关于{subject}考试的单项选择题，请选出其中的正确答案。"
    turns = [("system", "你是一个中文人工智能助手，" + line)]
    for i, d in enumerate(dev):
        turns += [("user", (line + "\n\n" if i == 0 else "") + block(d) + "\n答案："), ("assistant", d["answer"])]
    put_chat("ceval", "chatgpt", subject, row["answer"], *turns, ("user", block(row) + "\n答案："))
    put("ceval", "chatglm2", subject, "[Round 1]\n\n问：" + block(row) + "\n\n答：", LETTERS, gold=gold,
        conclusion="[Round 1]\n\n问：" + block(row) + WROTE + "\n" + "综上所述，ABCD中正确的选项是：" + "\n\n答：")
    generate("oc-0shot-bd40ef", one + block(row) + "\n让我们一步一步思考。答案: ")

    def listed(r):
        return "问题：" + r["question"] + "\n选项：\n" + "\n".join(f"{x}. {r[x]}" for x in LETTERS)
    ask = (f"以下是中国关于{zh}的单项选择题，请选出其中的正确答案。你的回答的最后一行应该是这样的格式："
           "\"答案：[LETTER]\"（不带引号），其中 [LETTER] 是 A、B、C、D 中的一个。\n\n")
    examples = "\n\n".join(listed(d) + "\n解析：" + d["explanation"] + "\n答案：" + d["answer"] for d in dev)
    generate("evalscope", "以下是一些示例问题：\n\n" + examples + "\n\n" + "\n" + ask + listed(row) + "\n")


def cmmlu():
    subject, zh = "agronomy", "农学"
    dev = rows_csv(f"cmmlu/dev/{subject}.csv")
    row = rows_csv(f"cmmlu/test/{subject}.csv")[0]
    gold = "ABCD".index(row["Answer"])

    def q(r, mark="题目："):
        return mark + block(r, "Question")

    def choose(protocol, prompt, before=""):
        put("cmmlu", protocol, subject, prompt, [before + x for x in LETTERS], gold=gold)

    def generate(protocol, prompt):
        put("cmmlu", protocol, subject, prompt, answer=row["Answer"])

    line = f"以下是关于{zh}的单项选择题，请直接给出正确答案的选项。\n"
    official = line + "\n" + "".join(q(d) + "\n答案是：" + d["Answer"] + "\n\n" for d in dev) + q(row) + "\n答案是："
    for protocol in ("official", "hf-causal", "qwen"):
        choose(protocol, official)
    choose("lm-eval", line + "\n" + row["Question"].strip()
           + "".join(f"\n{x}. {row[x]}" for x in LETTERS) + "\n答案：", " ")
    choose("opencompass", "\n\n\n".join(line + q(d) + "\n答案是: " + d["Answer"] for d in dev)
           + "\n\n\n\n\n" + line + q(row) + "\n答案是:", " ")
    choose("oc-ppl-041cbf", line + "".join(q(d) + "\n答案是: " + d["Answer"] + "\n\n" for d in dev)
           + q(row) + "\n答案是:", " ")
    generate("oc-gen-c13365", "".join(line + q(d) + "\n答案是: " + d["Answer"] + "\n" for d in dev)
             + line + q(row) + "\n答案是: ")
    generate("official-cot", f"以下是关于{zh}的单项选择题，请分析并选出正确答案。\n\n"
             + "".join(q(d) + "\n答案是：" + d["Answer"] + "\n\n" for d in dev) + q(row)
             + "\n逐步分析并给出答案选项。")
    bracketed = "\n".join(f"{x}) {row[x]}" for x in LETTERS)
    generate("oc-0shot-cot-305931", f"请回答以下关于{zh}的单项选择题, 你回答的最后一行**必须**是以下格式 "
             "'答案: $选项' (不带引号), 其中选项是ABCD之一. 请在回答之前一步步思考.\n\n"
             + row["Question"] + "\n\n" + bracketed)
    generate("evalscope", "回答下面的单项选择题，请选出其中的正确答案。你的回答的最后一行应该是这样的格式："
             "\"答案：[LETTER]\"（不带引号），其中 [LETTER] 是 A,B,C,D 中的一个。请在回答前进行一步步思考。\n\n问题："
             + row["Question"] + "\n选项：\n" + bracketed + "\n")


def gsm8k():
    train, row = rows_jsonl("gsm8k/train.jsonl"), rows_jsonl("gsm8k/test.jsonl")[0]
    answer = row["answer"].split("#### ")[1]

    def shots(chosen):
        return "".join(f"Question: {d['question']}\nAnswer: {d['answer']}\n\n" for d in chosen)
    asked = f"Question: {row['question']}\nAnswer:"
    put("gsm8k", "official", "gsm8k", shots(train[:8]) + asked, answer=answer)
    put("gsm8k", "lm-eval", "gsm8k", shots(random.Random(1234).sample(train, 5)) + asked, answer=answer)
    put_chat("gsm8k", "qwen-chat0", "gsm8k", answer,
             ("user", f"Question: {row['question']}\nLet's think step by step"))
    # The four examples of OpenCompass and Qwen are rows of the training set with their marks of
    # calculations taken out and the last line in words.
    four = [(train[i]["question"], re.sub("#### (.*)$", r"The answer is \1",
                                          re.sub("<<[^>]*>>", "", train[i]["answer"])))
            for i in (7364, 1708, 669, 6724)]

    def step(question):
        return f"Question: {question}\nLet's think step by step"
    turns = []
    for question, reasons in four:
        turns += [("user", step(question) + "\nAnswer:"), ("assistant", reasons + "\n")]
    put_chat("gsm8k", "oc-1d7fe4", "gsm8k", answer, *turns, ("user", step(row["question"]) + "\nAnswer:"))
    put("gsm8k", "opencompass", "gsm8k", "".join(f"{step(q)}\nAnswer:\n{r}\n\n" for q, r in four)
        + step(row["question"]) + "\nAnswer:", answer=answer)
    put_chat("gsm8k", "qwen-chat", "gsm8k", answer,
             ("user", "".join(f"{step(q)}\n{r}\n\n" for q, r in four) + step(row["question"])))
    put("gsm8k", "original", "gsm8k", row["question"], answer=answer)
    put("gsm8k", "oc-0shot-v2", "gsm8k", row["question"] + "\nPlease reason step by step, and put your "
        "final answer within \\boxed{}.", answer=answer)


def cmath():
    for suite, path, subject in (("cmath", "cmath/cmath_dev.jsonl", "grade_1"),
                                 ("cmath-distractor", "cmath/distractor.jsonl", "distractor_0")):
        row = rows_jsonl(path)[0]
        put(suite, "official", subject, row["input"], answer=row["golden"])
        put(suite, "evalscope", subject, row["input"] + "\n请一步一步推理，最后将答案放在\\boxed{}中。",
            answer=row["golden"])
        put(suite, "plain", subject, "问题：" + row["input"] + "\n答案：", answer=row["golden"])


CHINESE = {"gaokao-chinese", "gaokao-geography", "gaokao-history", "gaokao-biology", "gaokao-chemistry",
           "gaokao-physics", "gaokao-mathqa", "gaokao-mathcloze", "logiqa-zh", "jec-qa-kd", "jec-qa-ca"}


def agieval_shots(subject):
    column = "sat-en" if subject == "sat-en-without-passage" else subject
    with open(DATA / "agieval/few_shot_prompts.csv", encoding="utf-8-sig", newline="") as file:
        cells = [row[column] for row in csv.DictReader(file)]
    return [(ast.literal_eval(sample), reason.replace("\n\n", "\n"))
            for sample, reason in zip(cells[::2], cells[1::2]) if sample]


def agieval_few_shot(subject, row, zh, answer):
    """As combine_prompt, concat_prompt and convert_few_shot of the repository's dataset_loader.py."""
    def asked(i, r):
        passage = "" if subject == "sat-en-without-passage" or r["passage"] is None else r["passage"]
        begin = f"问题 {i}.   " if zh else f"Problem {i}.   "
        if r["options"] is None:
            return begin + r["question"] + "\n"
        choose = "从以下选项中选择:    " if zh else "Choose from the following options:    "
        return begin + passage + " " + r["question"] + "\n" + choose + " ".join(r["options"]) + "\n"
    for protocol in ("few-shot-cot", "few-shot"):
        text = "以下是考试中各个问题的答案。\n" if zh else "Here are the answers for the problems in the exam.\n"
        shots = agieval_shots(subject)
        for i, (r, reason) in enumerate(shots, 1):
            text += asked(i, r)
            if protocol == "few-shot-cot":
                text += (f"问题 {i}的解析:   " if zh else f"Explanation for Problem {i}:   ") + reason + "\n"
            last = r["answer"] if r["options"] is None else r["label"]
            text += ("答案是 {}" if zh else "The answer is therefore {}").format(last) + "\n\n"
        put("agieval", protocol, subject, text + asked(len(shots) + 1, row), answer=answer)


def agieval_cot(subject, first, answer, suffix):
    """As convert_zero_shot_CoT_stage1 and generate_second_stage_input of dataset_loader.py."""
    put("agieval", "zero-shot-cot", subject, first, answer=answer, conclusion=f"{first}\n{WROTE}\n{suffix}")


def agieval():
    for path in sorted((DATA / "agieval").glob("*.jsonl")):
        subject = path.stem
        row = rows_jsonl(path)[0]
        zh = subject in CHINESE
        if row["options"] is None:
            prompt = f"问题：{row['question']}\n答案：" if zh else f"Q: {row['question']}\nA: The answer is"
            put("agieval", "official", subject, prompt, answer=row["answer"])
            agieval_few_shot(subject, row, zh, row["answer"])
            think = "答案：让我们逐步思考：" if zh else "A: Let's think step by step."
            agieval_cot(subject, prompt.rsplit("\n", 1)[0] + "\n" + think, row["answer"],
                        "因此，答案是" if zh else "Therefore, the answer is")
            continue
        passage, last = row["passage"] or "", "ABCDEFG"[len(row["options"]) - 1]
        options = " ".join(row["options"])
        prompt = (f"{passage}问题：{row['question']} 选项：{options}\n答案：从A到{last}, 我们应选择" if zh else
                  f"{passage}Q: {row['question']} Answer Choices: {options}\nA: Among A through {last}, the answer is")
        put("agieval", "official", subject, prompt, answer="".join(row["label"]))
        agieval_few_shot(subject, row, zh, "".join(row["label"]))
        think = f"从A到{last}, 我们应选择什么？让我们逐步思考：" if zh else "Let's think step by step."
        agieval_cot(subject, prompt.rsplit("\n", 1)[0] + "\n" + think, "".join(row["label"]),
                    "因此，从A到D, 我们应选择" if zh else "Therefore, among A through E, the answer is")
        letters = "ABCDEFG"[:len(row["options"])]
        golds = sorted(letters.index(x) for x in row["label"])
        put("agieval", "lm-eval", subject, prompt, [f" ({x})" for x in letters], gold=golds[0])
        if subject not in ("gaokao-physics", "jec-qa-kd", "jec-qa-ca"):
            put("agieval", "letter", subject, prompt, [("" if zh else " ") + x for x in letters], gold=golds[0])


def gaokao():
    files = {"english_mcqs": ("2010-2013_English_MCQs", "英语"), "biology": ("2010-2022_Biology_MCQs", "生物"),
             "chemistry": ("2010-2022_Chemistry_MCQs", "化学"), "history": ("2010-2022_History_MCQs", "历史"),
             "mathematics_2": ("2010-2022_Math_II_MCQs", "数学"), "mathematics_1": ("2010-2022_Math_I_MCQs", "数学"),
             "politics": ("2010-2022_Political_Science_MCQs", "政治"),
             "physics": ("2010-2022_Physics_MCQs", None), "chinese_usage": ("2010-2022_Chinese_Lang_and_Usage_MCQs", None),
             "chinese_modern_lit": ("2010-2022_Chinese_Modern_Lit", None),
             "english_blanks": ("2010-2022_English_Fill_in_Blanks", None),
             "english_reading": ("2010-2022_English_Reading_Comp", None),
             "geography": ("2010-2022_Geography_MCQs", None), "english_cloze": ("2012-2022_English_Cloze_Test", None)}
    several = {"chinese_modern_lit": "请你做一道语文阅读理解题，其中包含三个小题。",
               "english_blanks": "请你做一道英语完形填空题,其中包含二十个小题。",
               "english_reading": "请你做一道英语阅读理解题，其中包含三到五个小题。",
               "geography": "请你做一道地理选择题，其中包含两到三个小题。"}
    strict = "请你严格按照上述格式作答。\n"
    alone = "你将从A，B，C，D中选出正确的答案，并写在【答案】和<eoa>之间。\n"
    think = "请你一步一步思考并将思考过程写在【解析】和<eoe>之间。"
    for subject, (name, zh) in files.items():
        with open(DATA / "gaokao" / f"{name}.json", encoding="utf-8") as file:
            row = json.load(file)["example"][0]
        if zh:
            head = (f"请你做一道{zh}选择题\n" + think + alone + "例如：【答案】: A <eoa>\n完整的题目回答的格式如下：\n"
                    "【解析】 ... <eoe>\n【答案】 ... <eoa>\n" + strict + "题目如下：")
        elif subject == "physics":
            head = ("请你做一道物理选择题。\n" + think + "你将从A，B，C，D中选出所有符合题意的答案，并写在【答案】和<eoa>之间。\n"
                    "例如：【答案】 AB <eoa>\n完整的题目回答的格式如下：\n【解析】 ... <eoe>\n【答案】... <eoa>\n" + strict)
        elif subject == "chinese_usage":
            head = ("请你做一道语文选择题\n" + think + alone + "例如：【答案】: A <eoa>\n完整的题目回答的格式如下：\n"
                    "（1）【解析】 ... <eoe>\n【答案】 ... <eoa>\n（2）【解析】 ... <eoe>\n【答案】 ... <eoa>\n"
                    "请你严格按照上述格式作答。如果不止一道题，请分别作答\n题目如下：")
        elif subject == "english_cloze":
            head = "请回答下面的问题，将符合题意的五个选项的字母写在【答案】和<eoa>之间，例如“【答案】 A B C D E <eoa>\n请严格按照上述格式作答。\n"
        else:
            head = (several[subject] + "\n请你一步一步思考。每一题" + alone +
                    "例如：（1）【答案】 A <eoa>\n（2）【答案】 B <eoa>\n" + strict)
        put("gaokao", "official", subject, head + row["question"], answer="".join(row["answer"]))


def c3():
    for subject in "dm":
        with open(DATA / "c3" / f"c3-{subject}-dev.json", encoding="utf-8") as file:
            document, questions, _ = json.load(file)[0]
        first = questions[0]
        choices = first["choice"]
        put("c3", "official", subject, f"文章：{' '.join(document)}\n问题：{first['question']}\n答案：", choices,
            gold=choices.index(first["answer"]))
        shown = choices + ["[NULL]"] * (4 - len(choices))
        listed = "".join(f"{x}. {c}\n" for x, c in zip(LETTERS, shown))
        put("c3", "oc-gen", subject, f"{''.join(document)}\n问：{first['question']}\n{listed}"
            "请从“A”，“B”，“C”，“D”中进行选择。\n答：", answer=LETTERS[choices.index(first["answer"])])


def humaneval():
    with gzip.open(DATA / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        row = json.loads(file.readline())
    prompt = row["prompt"]
    for protocol, before in (
            ("official", ""), ("lm-eval", ""), ("qwen", ""), ("oc-d2537e", "Complete the following python code:\n"),
            ("opencompass", "Read the following function signature and docstring, and fully implement the function "
             "described. Your response should only contain the code for this function.\n")):
        put("humaneval", protocol, "humaneval", before + prompt)
    fence = "```"
    put_chat("humaneval", "lm-eval-instruct", "humaneval", None,
             ("user", "Write a solution to the following problem and make sure that it passes the tests:\n"
              f"{fence}python\n{prompt}\n{fence}\n"),
             ("assistant", f"Here is the completed function:\n{fence}python\n{prompt}\n"))


def chinese_simpleqa():
    row = next(r for r in rows_jsonl("chinese_simpleqa/chinese_simpleqa.jsonl") if r["primary_category"] == "社会")
    put("chinese_simpleqa", "official", "社会", row["question"], answer=row["answer"])
    put("chinese_simpleqa", "raw", "社会", f"问题：{row['question']}\n答案：", answer=row["answer"])


for suite in (ceval, cmmlu, gsm8k, cmath, agieval, gaokao, c3, humaneval, chinese_simpleqa):
    suite()
