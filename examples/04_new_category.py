"""A new category for customers who are known elsewhere: no item is shared, people are.

python examples/04_new_category.py
"""

import rectransfer as rt
from rectransfer.logs import PlantedConfig
from rectransfer.transfer import user_coverage


def main() -> None:
    planted = rt.plant(PlantedConfig(shared_items=0.0, shared_users=0.8, seed=2))
    print("shared users:", user_coverage(planted.source.users, planted.target))

    model = rt.Recommender(rt.pretrain(planted.source)).fit(planted.target)
    print("verdict:", model.verdict)
    print("signals:", ", ".join(model.signals))

    new_here = [user for user in planted.source.users.ids if user not in planted.target.users][:1]
    print(f"\n{new_here[0]} has never bought here, but elsewhere:")
    print(model.recommend(users=new_here, k=5))


if __name__ == "__main__":
    main()
